"""A comparison as text, Markdown, JSON or CSV."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from bench.tables.content.contest import Contest, Standing
from bench.tables.content.overall import Overall, OverTasks
from bench.tables.formats.csv_files import without_formulas
from bench.tables.formats.markdown import escape

Range = tuple[float, float] | None

HEADERS = ("", "mean", "seeds", "difference", "bootstrap", "of the test", "drawn", "p", "p (Holm)", "tied")


@dataclass(frozen=True)
class _Section:
    title: str
    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]


def _sections(contest: Contest) -> Iterable[_Section]:
    for task in contest.tasks:
        column = f"{task.column.group} {task.column.title}".strip()
        better = ", lower is better" if task.column.better == "lower" else ""
        rows = [_standing(one, task.column.digits, one.method == contest.against) for one in task.standings]
        yield _Section(f"{column} of {task.block}{better}; differences from {contest.against}", HEADERS, rows)
    for one in contest.overall:
        yield _overall(one, contest.against)
        if one.corrected is not None:
            yield _pairs(one)


def _standing(one: Standing, digits: int, itself: bool) -> tuple[str, ...]:
    seeds = f"{one.seeds}" if itself or one.paired == one.seeds else f"{one.paired} of {one.seeds}"
    return (
        one.method,
        f"{one.mean:.{digits}f}",
        seeds,
        "" if one.difference is None else f"{one.difference:+.{digits}f}",
        _range(one.bootstrap, digits),
        _range(one.interval, digits),
        one.unit,
        _p(one.p_value),
        _p(one.corrected),
        one.letters,
    )


def _overall(one: Overall, against: str) -> _Section:
    above = tuple(f"> {threshold:g}" for threshold in one.thresholds)
    headers = ("", "IQM", "95 %", f"P(better than {against})", "95 %", *above, *(["rank"] if _ranked(one) else []))
    title = f"{one.block} over {one.tasks} tasks, {one.seeds} seed(s) each"
    friedman = "" if one.friedman is None else f"; Friedman p = {_p(one.friedman)}"
    return _Section(title + friedman, headers, [_over_tasks(method) for method in one.methods])


def _over_tasks(one: OverTasks) -> tuple[str, ...]:
    return (
        one.method,
        f"{one.iqm:.2f}",
        _range(one.iqm_interval, 2),
        "" if one.improvement is None else f"{one.improvement:.3f}",
        _range(one.improvement_interval, 3),
        *(f"{share:.2f}" for share in one.profile),
        *([] if one.rank is None else [f"{one.rank:.2f}"]),
    )


def _pairs(one: Overall) -> _Section:
    """Wilcoxon's corrected p-values of all pairs."""
    assert one.corrected is not None
    names = [method.method for method in one.methods]
    rows = [
        (name, *(_p(value) if at != other else "" for other, value in enumerate(values)))
        for at, (name, values) in enumerate(zip(names, one.corrected.tolist(), strict=True))
    ]
    return _Section(f"{one.block}: Wilcoxon's p over tasks (Holm)", ("", *names), rows)


def _ranked(one: Overall) -> bool:
    return any(method.rank is not None for method in one.methods)


def _range(bounds: Range, digits: int) -> str:
    return "" if bounds is None else f"{bounds[0]:.{digits}f} … {bounds[1]:.{digits}f}"


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def to_text(contest: Contest) -> str:
    """For the terminal."""
    lines = [f"{contest.title}: compared with {contest.against}", ""]
    for section in _sections(contest):
        table = [section.headers, *section.rows]
        widths = [max(len(row[at]) for row in table) for at in range(len(section.headers))]
        lines.append(section.title)
        for row in table:
            cells = [
                row[0].ljust(widths[0]),
                *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)),
            ]
            lines.append("  " + "  ".join(cells).rstrip())
        lines.append("")
    return "\n".join([*lines, *(f"  {note}" for note in contest.notes)])


def to_markdown(contest: Contest) -> str:
    """As GitHub shows it."""
    lines = [f"**{escape(contest.title)}: compared with {escape(contest.against)}**", ""]
    for section in _sections(contest):
        lines += [
            escape(section.title),
            "",
            _line(section.headers),
            "| :--- " + "| ---: " * (len(section.headers) - 1) + "|",
        ]
        lines += [*map(_line, section.rows), ""]
    return "\n".join([*lines, *(f"- {escape(note)}" for note in contest.notes)])


def _line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(escape(text) for text in texts) + " |"


def to_json(contest: Contest) -> str:
    """Everything: `against`, `comparisons`, `tasks`, `overall` and `notes`."""
    content = {
        "title": contest.title,
        "against": contest.against,
        "comparisons": contest.comparisons,
        "tasks": [
            {
                "model": one.block,
                "task": one.column.task,
                "metric": one.column.key.rpartition(".")[2],
                "better": one.column.better,
                "methods": [asdict(standing) for standing in one.standings],
            }
            for one in contest.tasks
        ],
        "overall": [_plain(one) for one in contest.overall],
        "notes": contest.notes,
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def _plain(one: Overall) -> dict[str, Any]:
    plain = asdict(one)
    del plain["raw"], plain["notes"]
    for method in plain["methods"]:
        del method["runs"]
    plain["corrected"] = None if one.corrected is None else one.corrected.tolist()
    return plain


COLUMNS = (
    "model", "task", "metric", "method", "against", "mean", "seeds", "paired_seeds", "difference", "bootstrap_low",
    "bootstrap_high", "low", "high", "drawn", "p_value", "p_holm", "tied",
)  # fmt: skip


def to_csv(contest: Contest) -> str:
    """A row per model, task and method, in full precision; what is not there is empty, and no text is a formula."""
    rows = []
    for task in contest.tasks:
        names = (task.block, task.column.task, task.column.key.rpartition(".")[2])
        for one in task.standings:
            ranges = [*(one.bootstrap or (None, None)), *(one.interval or (None, None))]
            figures = [one.mean, one.seeds, one.paired, one.difference, *ranges, one.unit, one.p_value, one.corrected]
            rows.append([*names, one.method, contest.against, *figures, one.letters])
    frame = without_formulas(pd.DataFrame(rows, columns=[*COLUMNS]))
    return str(frame.to_csv(index=False, lineterminator="\n")).removesuffix("\n")


FORMATS: dict[str, tuple[str, Callable[[Contest], str]]] = {
    "text": ("txt", to_text),
    "markdown": ("md", to_markdown),
    "json": ("json", to_json),
    "csv": ("csv", to_csv),
}
