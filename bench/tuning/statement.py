"""A comparison told in words, for a paper: its protocol, what was found, and what does not hold; from records alone.

`paragraphs` has the sentences; the rest puts them into Markdown, LaTeX or the terminal.
"""

import importlib.metadata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.records.fields import FIELDS
from bench.records.schema import Record
from bench.tables import Table
from bench.tables.content.contest import Contest, Standing, TaskContest
from bench.tables.formats.latex_text import escape as latex
from bench.tables.formats.markdown import escape as markdown
from bench.tuning.result import Result, device_seconds
from bench.tuning.sequence import Sampler
from bench.tuning.shortfalls import listed, shortfalls
from bench.tuning.space import RATE, RATE_KEY
from bench.tuning.study import Protocol

LEVEL = 0.05  # of the tests, after correction
TESTS = {
    "seeds": "paired t-tests over seeds",
    "items": "paired t-tests over the items of one seed",
    "seeds and items": "paired tests with seeds and items both drawn at random (Clark 1973)",
}
SAMPLERS = {
    Sampler.qmc: "points of a scrambled Sobol sequence (Optuna {version}, QMCSampler), the same places for all methods",
    Sampler.tpe: "a tree-structured Parzen estimator (Optuna {version}, TPESampler) after points of a Sobol sequence",
}


@dataclass(frozen=True)
class Comparison:
    """What a comparison of one method with baselines has left behind.

    Attributes:
        method: which was proposed.
        results: of the search, a study per model, task and method.
        final: the records of the final cells.
        table: of these.
        contest: of these, against `method`.
    """

    method: str
    results: Sequence[Result]
    final: Sequence[Record]
    table: Table
    contest: Contest

    @property
    def titles(self) -> dict[str, str]:
        """What tables call each method."""
        return {row.method: row.title for block in self.table.blocks for row in block.rows}


def paragraphs(made: Comparison) -> list[list[str]]:
    """The sentences: protocol, choice, findings, cost, and what does not hold."""
    found = [*_found(made), *_over_tasks(made)]
    missing = shortfalls(made.results, made.final, made.table, made.contest)
    closing = f"What does not hold, or has to be said with these figures: {'; '.join(missing)}."
    if not missing:
        closing = (
            "Seeds, trials, spaces, failures, devices, versions and selection were checked: nothing has to be said."
        )
    return [[*_protocol(made), *_report(made)], list(_chosen(made)), found, list(_cost(made)), [closing]]


def to_text(made: Comparison) -> str:
    """For the terminal."""
    return "\n\n".join(" ".join(sentences) for sentences in paragraphs(made))


def to_markdown(made: Comparison) -> str:
    """As GitHub shows it."""
    return _joined(made, markdown, "# {}\n\n")


def to_latex(made: Comparison) -> str:
    """For a paper's appendix; needs no package."""
    return _joined(made, latex, "\\paragraph{{{}}}\n")


def _joined(made: Comparison, escape: Callable[[str], str], heading: str) -> str:
    title = heading.format(escape(f"How {_title(made)} was compared"))
    return title + "\n\n".join(" ".join(map(escape, sentences)) for sentences in paragraphs(made)) + "\n"


def _protocol(made: Comparison) -> Iterator[str]:
    studies, protocol = [result.study for result in made.results], made.results[0].study.protocol
    others = [title for method, title in made.titles.items() if method != made.method]
    tasks = list(dict.fromkeys(task.column.group or task.column.title for task in made.contest.tasks))
    models = list(dict.fromkeys(task.block for task in made.contest.tasks))
    yield f"{_title(made)} was compared with {listed(others)} on {listed(tasks)} with {listed(models)}."
    counts = sorted({len(result.outcomes) for result in made.results})
    trials = f"{counts[0]} trials" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} trials"
    if protocol.seconds is not None:
        trials = f"as many trials as it could begin within {protocol.seconds} device-seconds ({trials})"
    sampler = SAMPLERS[protocol.sampler].format(version=importlib.metadata.version("optuna"))
    yield f"Every method, {_title(made)} and the baselines alike, was given {trials} on each task: {sampler}."
    yield from _pruned(protocol)
    spaces: dict[str, dict[str, None]] = {}
    for study in studies:
        spaces.setdefault(str(study.space), {})[made.titles.get(study.cell.method, study.cell.method)] = None
    told = (f"{space.replace(RATE, 'learning rates')} for {listed(methods)}" for space, methods in spaces.items())
    yield f"Searched were, on a logarithmic scale unless said, {'; '.join(told)}."
    yield "All else is as each method and the task are configured."
    records = [one.record for result in made.results for one in result.outcomes]
    rows = (
        listed({FIELDS["selection_rows"](record) for record in records} - {""}) or "rows that the records do not name"
    )
    metrics = listed({result.metric.name for result in made.results})
    best, failed = "the best", "counts as badly as the worst that has one"
    if not protocol.pruner.is_none:
        best, failed = "the best of those trained in full", "went on no more"
    yield (
        f"Trials were trained with {_seeds(protocol.seeds)} and scored by {metrics} on rows that no figure here is of "
        f"({rows}); {best} was chosen, and a trial without a score {failed}."
    )


def _pruned(protocol: Protocol) -> Iterator[str]:
    pruner = protocol.pruner
    if pruner.is_none:
        return
    brackets = " + ".join(map(str, pruner.brackets))
    counts = listed(f"{count} with {pruner.share(cuts)}" for cuts, count in pruner.counts(protocol.trials).items())
    yield (
        f"By Hyperband (Li et al. 2018, reduction {pruner.reduction}, brackets of {brackets} trials), trials were "
        "trained with a part of the epochs first, each time anew with the schedule of that length, and the best of "
        f"each bracket with more: {counts} of the epochs, for every method and task as long as "
        f"{pruner.trainings(protocol.trials):.3g} trainings in full."
    )


def _report(made: Comparison) -> Iterator[str]:
    seeds = sorted({record.cell.seed for record in made.final})
    notes = [record.metrics.notes.get("scored_on") for record in made.final if record.metrics is not None]
    splits = listed({str(split) for note in notes if isinstance(note, dict) for split in note.get("splits", [])})
    where = f" and scored once on {splits}" if splits else " and scored once"
    yield f"With what was chosen, each was trained anew with {_seeds(seeds)}{where}."
    units = {one.unit for task in made.contest.tasks for one in task.standings} - {""}
    tests = listed(TESTS[unit] for unit in TESTS if unit in units)
    if not tests:
        yield "Differences were not tested."
        return
    yield (
        f"Differences were tested by {tests}; p-values are corrected by Holm's method over all "
        f"{made.contest.comparisons} comparisons, at the level {LEVEL:g}."
    )


def _chosen(made: Comparison) -> Iterator[str]:
    for task, results in _by_task(made.results).items():
        told = []
        for result in results:
            if result.best is not None:
                values = (f"{key.partition('.')[2]} {value}" for key, value in result.best.parameters.items())
                rate = ", ".join(values).replace(RATE_KEY.partition(".")[2] + " ", "", 1)
                told.append(f"{made.titles.get(result.study.cell.method, result.study.cell.method)} {rate}")
        if told:
            yield f"Learning rates chosen for {task}: {'; '.join(told)}."


def _found(made: Comparison) -> Iterator[str]:
    for task in made.contest.tasks:
        base = next((one for one in task.standings if one.method == made.method), None)
        if base is None:
            continue
        digits = task.column.digits
        others = [_against(made, task, one) for one in task.standings if one.method != made.method]
        where = f"{task.column.group} {task.column.title}".strip()
        lower = ", lower is better" if task.column.better == "lower" else ""
        yield (
            f"On {where} ({task.block}{lower}), {_title(made)} has {base.mean:.{digits}f} over {base.seeds} seeds; "
            f"{'; '.join(others)}."
        )


def _against(made: Comparison, task: TaskContest, one: Standing) -> str:
    digits, name = task.column.digits, made.titles.get(one.method, one.method)
    if one.difference is None or one.corrected is None or one.interval is None:
        return f"{name} {one.mean:.{digits}f}, of which no test can be made"
    p_value = "p < 0.0001" if one.corrected < 1e-4 else f"p = {one.corrected:.2g}"
    low, high = (f"{bound:+.{digits}f}" for bound in one.interval)
    sign = -1 if task.column.better == "lower" else 1
    verdict = "better" if sign * one.difference > 0 else "worse"
    told = f"which is {verdict}" if one.corrected < LEVEL else "not told apart"
    return f"{name} {one.mean:.{digits}f} ({one.difference:+.{digits}f}, 95 % {low} to {high}, {p_value}), {told}"


def _over_tasks(made: Comparison) -> Iterator[str]:
    for block in made.contest.overall:
        means = []
        for one in block.methods:
            interval = (
                "" if one.iqm_interval is None else f" (95 % {one.iqm_interval[0]:.2f} to {one.iqm_interval[1]:.2f})"
            )
            means.append(f"{made.titles.get(one.method, one.method)} {one.iqm:.2f}{interval}")
        where = f"over {block.tasks} tasks and {block.seeds} seeds ({block.block})"
        yield f"Interquartile means {where}: {'; '.join(means)}."


def _cost(made: Comparison) -> Iterator[str]:
    trials = [one for result in made.results for one in result.outcomes]
    cells = sum(one.cells for one in trials)
    search, final = sum(one.device_seconds for one in trials), sum(map(device_seconds, made.final))
    yield (
        f"The search took {cells} cells and {_hours(search)} of training and evaluation, the figures {len(made.final)} "
        f"cells and {_hours(final)}."
    )
    records = [*(one.record for one in trials), *made.final]
    devices = listed({str(FIELDS["accelerator"](record)) for record in records if FIELDS["accelerator"](record)})
    versions: dict[str, set[str]] = {}
    for record in records:
        libraries = record.environment.get("libraries") or {}
        for name, version in {"Python": record.environment.get("python"), **libraries}.items():
            if version:
                versions.setdefault(name, set()).add(str(version))
    told = listed(f"{name} {' and '.join(sorted(known))}" for name, known in versions.items())
    commits = {str((record.environment.get("git") or {}).get("commit"))[:12] for record in records} - {"None"}
    code = f"; the benchmark's commit is {listed(commits)}" if commits else ""
    yield f"All ran on {devices or 'a device that the records do not name'}, with {told or 'unnamed versions'}{code}."


def _by_task(results: Iterable[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    several = len({result.study.cell.model for result in results}) > 1
    for result in results:
        cell = result.study.cell
        found.setdefault(f"{cell.task} ({cell.model})" if several else cell.task, []).append(result)
    return found


def _title(made: Comparison) -> str:
    return made.titles.get(made.method, made.method)


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {listed(map(str, seeds))}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.3g} device-hours" if seconds >= 360 else f"{seconds:.3g} device-seconds"
