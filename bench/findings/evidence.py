"""What the records say of one quantity of one model and method, or why they say nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from bench.errors import UserError
from bench.findings.claims import Check
from bench.findings.commands import Wanted
from bench.findings.protocol import Choice
from bench.records.schema import RecordError
from bench.tables.content.build import make_table
from bench.tables.definition.options import Options
from bench.tables.definition.protocol import chosen_by, chosen_on
from bench.tables.definition.table import Entry, Row, Table

# Where a quantity is looked up: the experiment and the table definition.
SCORES = {"III": ("survey/glue", "glue"), "IV": ("survey/wmt16", "wmt16"), "VI": ("survey/mmlu", "mmlu")}
SPREAD = ("survey/learning_rate", "learning_rate")
CURVE = ("survey/mmlu", "curve")
MEMORY = (("survey/memory", "memory"), ("survey/glue", "memory"), ("survey/wmt16", "memory"), ("survey/mmlu", "memory"))
SHARE = "trainable_of_base_total"
UNTUNED = "untuned"
LEAST_RATES = 3  # learning rates, for a spread


@dataclass(frozen=True)
class Figure:
    """A measured quantity.

    Attributes:
        experiment: whose records were asked.
        model, method: whose quantity it is.
        values: one per seed; empty where nothing was measured.
        missing: why not.
        helps: whether running the experiment's cells would fill it in.
        choices: how the settings were chosen, each way once.
    """

    experiment: str
    model: str
    method: str
    values: tuple[float, ...] = ()
    missing: str = ""
    helps: bool = True
    choices: tuple[Choice, ...] = ()

    def wanted(self, seeds: int = 0) -> Wanted:
        """The cells that this figure is made of."""
        return Wanted(self.experiment, self.model, self.method, seeds)


@dataclass(frozen=True)
class Source:
    """An experiment's table."""

    table: Table

    @cached_property
    def trials(self) -> set[str]:
        """The paths of records that were cut short."""
        cells = self.table.records.cells
        return set(cells.loc[cells["trial"] != "", "path"])

    def choices(self, paths: Iterable[str], what: str) -> tuple[Choice, ...]:
        """How the settings of some records were chosen, each way once."""
        found = dict.fromkeys(self._choices[path] for path in paths)
        return tuple(replace(choice, what=what) for choice in found)

    @cached_property
    def _choices(self) -> dict[str, Choice]:
        cells = self.table.records.cells
        columns = (cells[name].tolist() for name in ("path", "chosen_by", "kept_best"))
        found = {}
        for path, text, kept_best in zip(*columns, strict=True):
            study = chosen_by(str(text))
            trials, seconds = (study[key] if isinstance(study.get(key), int) else None for key in ("trials", "seconds"))
            found[path] = Choice("", chosen_on(str(text)), trials, kept_best, seconds, str(study.get("pruner", "")))
        return found

    def rows(self, model: str, method: str) -> list[Row]:
        """The method's rows; those of trial runs only if there are no others."""
        every = [row for block in self.table.blocks for row in block.rows if (row.model, row.method) == (model, method)]
        return [row for row in every if not self.trials & _paths(row)] or every

    def only_on_cpu(self, model: str, method: str) -> bool:
        """Whether finished cells were measured, but none of them on a GPU."""
        cells = self.table.records.cells
        here = (cells["model"] == model) & (cells["method"] == method) & (cells["status"] == "done")
        return set(cells.loc[here, "measure"].dropna()) == {"rss"}


def table_for(results_dir: str, experiment: str, definition: str | None = None) -> Table:
    """The table that figures are read from.

    Settings that were chosen on the reported rows decide nothing; who has them is said claim by claim.
    """
    return make_table(results_dir, experiment, definition, Options(mix_selection=True), tested=False)


@dataclass
class Evidence:
    """The survey's experiments in `results_dir`, or others in their place, read when they are needed.

    Attributes:
        scores: by the survey's table the experiment and the definition that are asked for scores.
    """

    results_dir: str
    scores: Mapping[str, tuple[str, str]] = field(default_factory=lambda: SCORES)
    _sources: dict[tuple[str, str], Source | None] = field(default_factory=dict)

    @classmethod
    def of(cls, results_dir: str, table: Table) -> "Evidence":
        """With a table, as `table_for` makes it, in the place of the survey's of its number."""
        place = table.experiment, table.definition
        return cls(results_dir, SCORES | {table.survey: place}, {place: Source(table)})

    def figures(self, check: Check, table: str, sides: list[tuple[str, str]]) -> list[Figure]:
        """The quantity of `check` (a claim of the survey's table `table`) for each model and method of `sides`.

        Memory depends on lengths, attention and more, so it is compared within one experiment: the first that has it
        for all sides.
        """
        if check.quantity != "memory":
            return [self._figure(check, table, *side) for side in sides]
        every = ([self._memory(place, *side) for side in sides] for place in MEMORY)
        first = next(every)
        return next((found for found in (first, *every) if all(figure.values for figure in found)), first)

    def _figure(self, check: Check, table: str, model: str, method: str) -> Figure:
        if check.quantity == "spread":
            return self._spread(check.of, model, method)
        if check.quantity == "fluctuation":
            return self._from(CURVE, "curve_fluctuation", model, method)
        keys = {"score": check.of, "share": SHARE, "trainable": "trainable"}
        return self._from(self.scores[table], keys[check.quantity], model, method)

    def methods(self, check: Check, table: str, model: str) -> list[str]:
        """Every method that the experiment has, or should have, for `model`."""
        places = MEMORY if check.quantity == "memory" else (self.scores.get(table, CURVE),)
        found: dict[str, None] = {}
        for place in places:
            source = self._source(place)
            if source is not None:
                made = source.table
                found |= {row.method: None for block in made.blocks for row in block.rows if row.model == model}
                found |= {cell.method: None for cell in made.records.expected if cell.model == model}
        return [method for method in found if method != UNTUNED]  # the base itself is no method of fine-tuning

    def _source(self, place: tuple[str, str]) -> Source | None:
        if place not in self._sources:
            try:
                self._sources[place] = Source(table_for(self.results_dir, *place))
            except RecordError:
                raise
            except UserError:  # nothing of this experiment was run; each figure says so
                self._sources[place] = None
        return self._sources[place]

    def _from(self, place: tuple[str, str], key: str, model: str, method: str) -> Figure:
        source = self._source(place)
        found, what = Figure(place[0], model, method), f"{method} on {model}"
        rows = [] if source is None else source.rows(model, method)
        if source is None or not rows:
            return _without(found, f"{what}: not run ({place[0]})")
        if len(variants := list(dict.fromkeys(row.variant for row in rows))) > 1:
            why = f"{what}: several settings, {'; '.join(variants)}; keep the records of one of them"
            return _without(found, why, helps=False)
        # Of several tasks, each in a row of its own, the largest value counts; so all of them must be there.
        entries = [row.entries[key] for row in rows if key in row.entries]
        lacking = [entry for entry in entries if entry.value is None]
        entry = lacking[0] if lacking else max(entries, key=lambda entry: entry.value or 0.0, default=None)
        return _read(found, source, entry, what)

    def _memory(self, place: tuple[str, str], model: str, method: str) -> Figure:
        """The largest peak of any task, in GB; only what was measured on a GPU."""
        found, source = self._from(place, "train_peak", model, method), self._source(place)
        if source is not None and source.only_on_cpu(model, method):
            return _without(found, f"{method} on {model}: measured without a GPU")
        return found

    def _spread(self, key: str, model: str, method: str) -> Figure:
        """Best minus worst score over learning rates, by their means over seeds."""
        source, what = self._source(SPREAD), f"{method} on {model}"
        found = Figure(SPREAD[0], model, method)
        rows = [] if source is None else source.rows(model, method)
        figures = [] if source is None else [
            _read(found, source, row.entries.get(key), f"{what}, {row.variant}") for row in rows
        ]  # fmt: skip
        measured = sorted((figure.values for figure in figures if figure.values), key=_mean)
        choices = tuple(dict.fromkeys(choice for figure in figures for choice in figure.choices))
        missing = next((figure.missing for figure in figures if figure.missing), "")
        if len(measured) < LEAST_RATES:
            return _without(found, missing or f"{what}: fewer than {LEAST_RATES} learning rates")
        worst, best = measured[0], measured[-1]
        if len(worst) != len(best):
            return Figure(SPREAD[0], model, method, (_mean(best) - _mean(worst),), choices=choices)
        values = tuple(high - low for low, high in zip(worst, best, strict=True))
        return Figure(SPREAD[0], model, method, values, choices=choices)


def _read(found: Figure, source: Source, entry: Entry | None, what: str) -> Figure:
    """The entry's values, or why they do not count."""
    if entry is None or entry.value is None:
        why = "not in the experiment" if entry is None else entry.status.replace("_", " ")
        return _without(found, f"{what}: {why}", helps=entry is not None)
    if source.trials & set(entry.records):
        return _without(found, f"{what}: trial runs only")
    if entry.expected and entry.seeds < entry.expected:
        return _without(found, f"{what}: {entry.seeds} of {entry.expected} seeds")
    choices = source.choices(entry.records, f"{found.method} on {found.model}")
    return Figure(found.experiment, found.model, found.method, entry.values or (entry.value,), choices=choices)


def _without(found: Figure, missing: str, helps: bool = True) -> Figure:
    return Figure(found.experiment, found.model, found.method, missing=missing, helps=helps)


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _paths(row: Row) -> set[str]:
    return {path for entry in row.entries.values() for path in entry.records}
