"""Claims of ours, apart from the survey's: which components of a method contribute to its score.

Of the experiments `ablation/…`, one finding for each method, model and component. It contributes if its effect on the
main score (the average over tasks, or that of the only one) is told from 0 and is a gain; it does not if all of its
interval lies below `MARGIN` points; else it is undecided. Both are of Student's paired t over seeds at 95 %.
"""

from dataclasses import dataclass, field

from bench.errors import UserError
from bench.findings.evidence import Source
from bench.findings.experiments import experiments
from bench.findings.protocol import SEEDS_TO_DECIDE, caveat, objection
from bench.tables.content.build import make_table
from bench.tables.content.effects import MAIN
from bench.tables.definition.table import Column, Entry, Row
from bench.tables.statistics.aggregate import LEVEL

CONTRIBUTES, DOES_NOT, UNDECIDED = "contributes", "does not", "undecided"
PREFIX = "ablation/"
MARGIN = 0.5  # points: a gain that is surely below it is none; ours
HOW = (
    f"A component contributes if its gain is told from 0 by Student's paired t over {SEEDS_TO_DECIDE} seeds or more at "
    f"{100 * LEVEL:g} %, and does not if all of the interval lies below {MARGIN:g} points."
)


@dataclass(frozen=True)
class ComponentFinding:
    """One component of a method on a model.

    Attributes:
        experiment, method, model, component: whose.
        score: what the effect is in.
        verdict: contributes, does not or undecided.
        value: points with the component minus without it, counted so that more is better; None: not known.
        interval: of `value`.
        seeds: paired.
        missing: why it is undecided, one line each.
        caveats: what the verdict rests on, one line each.
    """

    experiment: str
    method: str
    model: str
    component: str
    score: str
    verdict: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    seeds: int = 0
    missing: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Readable: `mam-roberta_base-prefix`."""
        return f"{self.method}-{self.model}-{self.component.replace(' ', '_')}"

    @property
    def text(self) -> str:
        """The effect in words: `+0.52 [0.31, 0.73] points in Avg., 5 seeds`."""
        if self.value is None:
            return f"not known in {self.score}"
        interval = "" if self.interval is None else " [{:.2f}, {:.2f}]".format(*self.interval)
        seeds = "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"
        return f"{self.value:+.2f}{interval} points in {self.score}, {seeds}"

    @property
    def lines(self) -> list[str]:
        """Caveats, and what is missing."""
        return [*(f"caveat: {line}" for line in self.caveats), *(f"missing: {line}" for line in self.missing)]


def evaluate_components(results_dir: str) -> list[ComponentFinding]:
    """What the records of ablations say of each component. Trial runs and miniature records decide nothing.

    Raises:
        UserError: records that cannot be read.
    """
    found = []
    for experiment in experiments(results_dir):
        if not experiment.startswith(PREFIX):
            continue
        try:
            source = Source(make_table(results_dir, experiment, "ablation"))
        except UserError:  # nothing in it that can be compared; its own table says why
            continue
        column = _main(source.table.columns)
        if column is None or source.table.miniature:
            continue
        rows = [row for block in source.table.blocks for row in block.rows if row.category == MAIN]
        found += [_finding(experiment, row, column, source) for row in rows]
    return found


def _main(columns: list[Column]) -> Column | None:
    """The average, else the only score."""
    scores = [column for column in columns if column.score]
    average = [column for column in scores if column.key == "average"]
    return next(iter(average or scores), None)


def _finding(experiment: str, row: Row, column: Column, source: Source) -> ComponentFinding:
    entry = row.entries[column.key]
    score = f"{column.group} {column.title}".strip()
    place = (experiment, row.method, row.model, row.title, score)
    if entry.value is None:
        return ComponentFinding(*place, UNDECIDED, missing=["no seed has all the cells that tell"])
    sign = -1.0 if column.better == "lower" else 1.0
    low, high = sorted(sign * bound for bound in entry.interval or (entry.value, entry.value))
    choices = source.choices(entry.records, f"{row.method} on {row.model}")
    missing = _objections(entry, source)
    if (unfair := objection(choices)) is not None:
        missing.append(unfair)
    verdict = UNDECIDED if missing else _decide(sign * entry.value, high, entry.p_value)
    if verdict == UNDECIDED and not missing:
        missing.append(f"more seeds; the interval holds 0, and {MARGIN:g} points")
    said = caveat(choices)
    caveats = [] if said is None or verdict == UNDECIDED else [said]
    interval = None if entry.interval is None else (low, high)
    return ComponentFinding(*place, verdict, sign * entry.value, interval, entry.seeds, missing, caveats)


def _objections(entry: Entry, source: Source) -> list[str]:
    """Why an effect decides nothing, whatever it is."""
    found = []
    if entry.seeds < SEEDS_TO_DECIDE:
        found.append(f"{entry.seeds} paired seed(s); {SEEDS_TO_DECIDE} decide")
    if source.trials & set(entry.records):
        found.append("trial runs, which were cut short")
    return found


def _decide(value: float, high: float, p_value: float | None) -> str:
    """Of an effect that counts more as better, the upper end of its interval, and the p-value of no effect."""
    if value > 0 and p_value is not None and p_value < 1 - LEVEL:
        return CONTRIBUTES
    return DOES_NOT if high < MARGIN else UNDECIDED
