"""A table's title and notes: what its figures are, of how many seeds, and what is not there."""

from collections import Counter

from bench.tables.definition.columns import Shown
from bench.tables.definition.frame import Records
from bench.tables.definition.measures import condition_notes
from bench.tables.definition.metrics import metric_notes
from bench.tables.definition.options import Options
from bench.tables.definition.schema import TableDefinition
from bench.tables.definition.settings import settings_note
from bench.tables.definition.table import Block, Column, one_line

TROUBLE = {
    "failed": "failed",
    "out_of_memory": "ran out of memory (OOM)",
    "unsupported": "do not go together: model and method (n/a)",
}


def usual_seeds(blocks: list[Block], columns: list[Column]) -> int:
    """How many seeds most of the scores are of, or should be; without scores, most of the measurements; 0 for none."""
    scores = [column.key for column in columns if column.score]
    keys = scores or [column.key for column in columns]
    entries = [row.entries[key] for block in blocks for row in block.rows for key in keys]
    counts = Counter(entry.expected for entry in entries if entry.value is not None and entry.expected)
    return max(counts, key=lambda count: (counts[count], count)) if counts else 0


def title(definition: TableDefinition, miniature: bool) -> str:
    """The caption's first sentence; one that could be taken for the survey's says "rerun" or "in miniature"."""
    number = f"Table {definition.survey}" if definition.survey[:1] in {"I", "V", "X"} else definition.survey
    if miniature:
        return f"{number} in miniature: {definition.title}" if number else f"Miniature: {definition.title}"
    return f"{number}, rerun: {definition.title}" if number else definition.title


def notes_of(
    records: Records,
    definition: TableDefinition,
    options: Options,
    *,
    usual: int,
    blocks: list[Block],
    shown: list[Shown],
    tasks: dict[str, list[str]],
) -> list[str]:
    """What a reader must know of the table, one sentence each."""
    notes = []
    if records.miniature:
        notes.append("miniature: artificial data and small models; not comparable with the survey's figures")
    if usual and not definition.effects:
        notes.append(_statistic(options, usual, blocks, any(item.column.score for item in shown)))
    if any(item.definition.average for item in shown):
        notes.append("averages: mean over tasks of the mean over each task's metrics, only where all tasks are there")
        apart = [_title(item) for item in shown if item.task and not item.averaged]
        if apart:
            notes.append(f"not in the averages, as their metrics go with no others: {', '.join(apart)}")
    notes += metric_notes({_title(item): item.about for item in shown if item.about is not None})
    visible = {item.task for item in shown if item.task}
    hidden = {task for names in tasks.values() for task in names} - visible
    if hidden and visible:
        notes.append(f"not shown, nor in the average: {', '.join(sorted(hidden))}")
    if records.missing:
        notes.append(f"{len(records.missing)} cell(s) of the grid have not been run (—)")
    counts = Counter(records.cells["status"])
    notes += [f"{counts[status]} cell(s) {words}" for status, words in TROUBLE.items() if counts[status]]
    notes.append(settings_note(records.cells["settings"]))
    fields = {name for item in shown for name in (item.definition.field, item.definition.share_of) if name is not None}
    notes += condition_notes(records, fields)
    if definition.note:
        notes.append(definition.note)
    return [one_line(note) for note in [*notes, *records.notes]]


def _title(item: Shown) -> str:
    """A score's column, and its metric where the header does not name it."""
    title = f"{item.column.group} {item.column.title}".strip()
    return title if item.definition.metrics else f"{title} ({item.metric})"


def _statistic(options: Options, usual: int, blocks: list[Block], scores: bool) -> str:
    """What the figures are: `mean of 3 seeds, ± standard deviation`."""
    entries = [entry for block in blocks for row in block.rows for entry in row.entries.values()]
    over_seeds = [entry for entry in entries if entry.expected and entry.value is not None]
    odd = any(entry.seeds < entry.expected or entry.seeds != usual for entry in over_seeds)
    spread = f"{100 * options.level:g} % bootstrap interval over seeds" if options.interval else "± standard deviation"
    what = f"{options.statistic} of {usual} seeds{f', {spread}' if scores else ''}" if usual > 1 else "1 seed"
    return what + ("; where it is another number, it is given in parentheses" if odd else "")
