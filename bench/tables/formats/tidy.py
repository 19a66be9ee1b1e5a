"""Records as one tidy frame: a row per cell and metric, at full precision."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pandas as pd

from bench.configuration.origins import value_at
from bench.tables.definition.frame import Records
from bench.tables.definition.grid import setting_text
from bench.tables.definition.quantities import QUANTITIES

CELL = (
    "experiment", "model", "model_title", "task", "task_title", "method", "method_title", "mixture", "category",
    "miniature", "seed", "variant", "status", "error", "trial", "score_on", "selection_rows", "chosen_by", "measure",
)  # fmt: skip
ORIGIN = ("accelerator", "sharing", "shrunk", "host", "end", "id", "path")
CELL_COLUMNS = (*CELL, *QUANTITIES, *ORIGIN)
# Of the settings those that readers ask for most, called as on the command line.
SETTING_COLUMNS = (
    "training.learning_rate", "training.head_learning_rate", "training.schedule", "training.warmup",
    "training.weight_decay", "training.batch_size", "training.micro_batch_size", "training.max_length",
    "training.epochs", "training.max_steps", "training.precision", "training.gradient_checkpointing",
    "model.weights", "model.quantisation", "model.attention",
)  # fmt: skip
SCORE = ("metric", "main", "value")
WORDS = {"null": None, "true": True, "false": False}


def tidy(records: Records, row_keys: tuple[str, ...] = ()) -> pd.DataFrame:
    """One row per cell and metric, scores as the metric defines them (not ×100).

    Cells without scores have one row with an empty metric; cells of the grid that were never run have one with the
    status "missing", and of the settings those that the grid sets.

    Args:
        records: of one experiment.
        row_keys: settings that are row keys of the table.

    Returns:
        Columns: `CELL_COLUMNS`; `SETTING_COLUMNS` and further `row_keys`; `SCORE`, which are the metric, whether it is
        the task's main one, and its value.
    """
    all_metrics = records.cells["metrics"]
    lengths = [max(1, len(metrics)) for metrics in all_metrics]
    cells = pd.concat([records.cells[[*CELL_COLUMNS]], _missing_rows(records)], ignore_index=True)
    asked = [dict(cell.settings) for cell in records.missing]
    settings = settings_columns(records.cells["settings"], [*dict.fromkeys([*SETTING_COLUMNS, *row_keys])], asked)
    lengths += [1] * len(records.missing)
    rows = pd.concat([cells, settings], axis=1).loc[cells.index.repeat(lengths)].reset_index(drop=True)
    pairs: list[tuple[str | None, float | None]] = []
    main: list[bool] = []
    for metrics, name in zip(all_metrics, records.cells["main"].tolist(), strict=True):
        found = list(metrics.items()) or [(None, None)]
        pairs += found
        main += [metric is not None and metric == name for metric, _ in found]
    pairs += [(None, None)] * len(records.missing)
    rows["metric"] = pd.Series([metric for metric, _ in pairs], dtype=object)
    rows["main"] = [*main, *([False] * len(records.missing))]
    rows["value"] = pd.Series([float("nan") if value is None else value for _, value in pairs], dtype=float)
    return rows


def _missing_rows(records: Records) -> pd.DataFrame:
    rows = [
        {"experiment": records.experiment, "model": cell.model, "task": cell.task, "method": cell.method}
        | {"seed": cell.seed, "status": "missing", "variant": "", "miniature": records.miniature}
        for cell in records.missing
    ]
    # Only what they have: whole columns of nothing would decide the type of the others'.
    return (
        pd.DataFrame(rows)
        if rows
        else pd.DataFrame(columns=[*CELL_COLUMNS]).astype(records.cells.dtypes[[*CELL_COLUMNS]])
    )


def settings_columns(recorded: pd.Series, keys: Iterable[str], asked: Sequence[Mapping[str, str]] = ()) -> pd.DataFrame:
    """The settings called `keys`, a column each.

    Args:
        recorded: of each cell that has a record its settings, as JSON.
        keys: as on the command line.
        asked: of each cell that has none what the grid sets, as text; their rows come last.
    """
    codes, texts = pd.factorize(recorded)  # few texts for many cells
    known = [orjson.loads(text) for text in texts]
    places = [*codes.tolist(), *range(len(texts), len(texts) + len(asked))]
    columns = {}
    for key in keys:
        values = [value_at(settings, key) for settings in known] + [_value(settings.get(key)) for settings in asked]
        columns[key] = pd.Series(_of_one_type(values)).take(places).reset_index(drop=True)
    return pd.DataFrame(columns)


def _value(text: str | None) -> Any:
    """A grid's value, which `setting_text` wrote."""
    if text is None or text in WORDS:
        return WORDS[text or "null"]
    try:
        return float(text)
    except ValueError:
        return text


def _of_one_type(values: list[Any]) -> list[Any]:
    """Numbers, or truth values, or text for all."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or kinds <= {bool}:
        return values
    return [None if value is None else setting_text(value) for value in values]
