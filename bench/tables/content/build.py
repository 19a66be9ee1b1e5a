"""Records and a definition → a table."""

from dataclasses import replace
from functools import partial

from bench.system.collecting import without_collecting
from bench.tables.content.caption import notes_of, title, usual_seeds
from bench.tables.content.effects import with_effects
from bench.tables.content.entries import average_entry, field_entry, score_entry
from bench.tables.content.marks import baseline_notes, compared, on_front, ranked
from bench.tables.content.others import with_others
from bench.tables.content.presented import presented
from bench.tables.content.pscp import Ranking, formula_note, rank_notes
from bench.tables.content.reference import with_reference
from bench.tables.definition.columns import Shown, shown_columns
from bench.tables.definition.command import check_experiment, command_of, table_of
from bench.tables.definition.frame import Records, load_records
from bench.tables.definition.measures import alike
from bench.tables.definition.names import check_names
from bench.tables.definition.options import Options
from bench.tables.definition.quantities import PSCP
from bench.tables.definition.rows import RowId, Runs, Titles, all_rows, expected_seeds, order, runs_by_row
from bench.tables.definition.schema import (
    TableDefinition,
    definition_files,
    in_megabytes,
    load_definition,
    with_columns,
)
from bench.tables.definition.table import CATEGORIES, Block, Entry, Row, Table, one_line


@without_collecting()
def make_table(
    results_dir: str,
    experiment: str,
    definition: str | None = None,
    options: Options | None = None,
    config_dir: str | None = None,
    *,
    tested: bool = True,
) -> Table:
    """Make a table of an experiment's records, with letters for what cannot be told apart.

    Args:
        results_dir: where records lie.
        experiment: a name such as `survey/glue`.
        definition: a name in `configs/table/`; None: what the experiment's file says (`table: glue`), else the last
            part of its name, else `scores`; `ablation` of the experiments `ablation/…`.
        options: see `Options`.
        config_dir: a folder of the user's own; its `table/` comes before the project's.
        tested: whether scores are tested against each other; else there are no letters, and marks are by number alone.

    Raises:
        UserError: nothing to show, an unknown definition or method, or records that cannot be read.
    """
    options = options or Options()
    usual = _definition_of(experiment, config_dir)
    defined = with_columns(load_definition(definition or usual, config_dir), options.columns)
    check_experiment(results_dir, experiment, config_dir)
    records = load_records(results_dir, experiment, defined.row_keys, options)
    check_names(defined, records, config_dir)
    command = command_of(
        {"experiment": experiment, "results_dir": results_dir, "definition": defined.name}, usual, options, config_dir
    )
    defined = in_megabytes(defined) if records.miniature else defined
    if defined.effects:
        # The grid says nothing of a method's components; the records do.
        effects = with_effects(_assemble(replace(records, expected=[]), defined, options))
        return presented(replace(effects, command=command), options)
    table = replace(with_reference(_assemble(records, defined, options), config_dir=config_dir), command=command)
    if not tested:
        return presented(with_others(table, config_dir), options)
    # Not at the top: what only needs the figures, such as findings, does without the tests.
    from bench.tables.content.comparison import with_ties

    return presented(with_others(with_ties(table, options.compare), config_dir), options)


def _definition_of(experiment: str, config_dir: str | None) -> str:
    """The table that an experiment's file names; else one of the name's last part, else all scores."""
    if experiment.startswith("ablation/"):
        return "ablation"
    named = table_of(experiment, config_dir)
    name = experiment.rpartition("/")[2]
    return named or (name if name in definition_files(config_dir) else "scores")


def _assemble(records: Records, definition: TableDefinition, options: Options) -> Table:
    tasks = _tasks_by_model(records)
    shown = shown_columns(definition, records, tasks)
    runs = runs_by_row(alike(records), definition)
    seeds = expected_seeds(records.expected, definition)
    titles = Titles(records.cells)
    expected = partial(_expected, tasks=tasks, seeds=seeds)
    blocks: dict[tuple[str, str], list[tuple[RowId, Row]]] = {}
    for row_id in order(all_rows(runs, records, definition), records.cells, titles, definition):
        entries = _entries(row_id, runs.get(row_id, {}), shown=shown, tasks=tasks, seeds=seeds, options=options)
        row = _row(row_id, entries, titles.row(row_id[2], runs.get(row_id, {})), titles, definition)
        blocks.setdefault((row_id[0], row_id[1]), []).append((row_id, row))
    finished = [
        ranked(on_front(compared(Block(titles.block(model, task), [row for _, row in rows]), shown), shown), shown)
        for (model, task), rows in blocks.items()
    ]
    notes = []
    for item in (item for item in shown if item.definition.field == PSCP):
        of = Ranking(records, definition, options, item, [*blocks.values()], expected)
        notes += [formula_note(options.pscp), *rank_notes(of, finished)]
    columns = [item.column for item in shown]
    usual = usual_seeds(finished, columns)
    last = records.experiment.rpartition("/")[2]
    name = records.experiment.replace("/", "-") + ("" if definition.name == last else f"-{definition.name}")
    return Table(
        name=name,
        definition=definition.name,
        survey=definition.survey,
        experiment=records.experiment,
        miniature=records.miniature,
        title=title(definition, records.miniature),
        seeds=usual,
        columns=columns,
        blocks=finished,
        notes=[
            *notes_of(records, definition, options, usual=usual, blocks=finished, shown=shown, tasks=tasks),
            *baseline_notes(finished, shown),
            *notes,
        ],
        records=records,
        row_keys=definition.row_keys,
    )


def _tasks_by_model(records: Records) -> dict[str, list[str]]:
    """The experiment's tasks for each model: those of the grid, then others that have records."""
    pairs = [(cell.model, cell.task) for cell in records.expected]
    pairs += list(records.cells[["model", "task"]].drop_duplicates().itertuples(index=False, name=None))
    tasks: dict[str, dict[str, None]] = {}
    for model, task in pairs:
        tasks.setdefault(model, {})[task] = None
    return {model: list(names) for model, names in tasks.items()}


def _row(row_id: RowId, entries: dict[str, Entry], title: str, titles: Titles, definition: TableDefinition) -> Row:
    model, task, method, *keys, variant = row_id
    category = titles.category(method)
    parts = [f"{key.rpartition('.')[2]}={value}" for key, value in zip(definition.row_keys, keys, strict=True)]
    settings = ", ".join(part for part in [*parts, variant] if part)
    words = one_line(CATEGORIES.get(category, category))
    return Row(model, method, title, words, one_line(settings), entries, tuple(keys), task)


def _entries(
    row_id: RowId,
    of_row: Runs,
    *,
    shown: list[Shown],
    tasks: dict[str, list[str]],
    seeds: dict[tuple[RowId, str], set[int]],
    options: Options,
) -> dict[str, Entry]:
    model, block_task = row_id[:2]
    entries: dict[str, Entry] = {}
    averaged: dict[str, list[Entry]] = {}
    for item in shown:
        if item.task is None:
            continue
        expected = seeds.get((row_id[:-1], item.task), set())
        entry = score_entry(of_row.get(item.task, []), item, len(expected), options)
        entries[item.column.key] = entry
        if item.averaged:
            averaged.setdefault(item.task, []).append(entry)
    for item in shown:
        if item.definition.front:
            entries[item.column.key] = Entry("not_measured")  # until the block's rows are there: `marks.on_front`
        elif item.definition.average:
            needed = [block_task] if block_task else [task for task in tasks[model] if task in averaged]
            entries[item.column.key] = average_entry([averaged.get(task, []) for task in needed], options)
        elif item.task is None:
            entries[item.column.key] = field_entry(of_row, item, _expected(row_id, tasks, seeds), options)
    return {item.column.key: entries[item.column.key] for item in shown}


def _expected(row_id: RowId, tasks: dict[str, list[str]], seeds: dict[tuple[RowId, str], set[int]]) -> dict[str, int]:
    """How many seeds of each task a row should have."""
    model, block_task = row_id[:2]
    return {task: len(seeds.get((row_id[:-1], task), set())) for task in ([block_task] if block_task else tasks[model])}
