"""What a table's measurements are of: which fields are measured, on which kind of device, and under what conditions."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.configuration.schema import ModelConfig, Weights
from bench.tables.definition.frame import Records
from bench.tables.definition.quantities import FORMS, OPERATIONS, PARAMETERS, PARTS, PEAKS, PSCP, SECONDS
from bench.tables.definition.settings import flat_settings

# Counted on the adapted model before anything is trained, so that any record tells them.
COUNTS = frozenset(PARAMETERS)
# Foretold, so that a cell that ran out of memory tells them as well.
FORETOLD = frozenset({"predicted_peak"})
# By CUDA's allocator, or the process's resident set.
PROCESS_MEMORY = frozenset({*PEAKS, *PARTS}) - FORETOLD
# What a device of another kind makes different altogether; operations by the padding of its batches.
OF_DEVICE = (
    PROCESS_MEMORY
    | FORETOLD
    | {f"inference_{form}_{name}" for form in FORMS for name in ("seconds", "peak")}
    | {"inference_slowdown", "utilisation", "tokens_per_second", "flops_per_second", *SECONDS, *OPERATIONS, PSCP}
)
SHOWN = 3  # cells named in a note


def measure_of(records: Records) -> str | None:
    """The one kind of measurement that counts: "cuda" if any record has it, else "rss"; None for no measurement."""
    found = set(records.cells["measure"].dropna())
    return next((measure for measure in ("cuda", "rss") if measure in found), None)


def alike(records: Records) -> Records:
    """The records without the measurements of the kind that does not count, which are as if they were not measured."""
    other = _other(records)
    if not other.any():
        return records
    # Where everything of a column is left out nothing of its type is.
    kept = {name: records.cells[name].where(~other, np.nan) for name in sorted(OF_DEVICE)}
    return replace(records, cells=records.cells.assign(**kept))


def _other(records: Records) -> pd.Series:
    measured = records.cells["measure"]
    return measured.notna() & (measured != measure_of(records))


def condition_notes(records: Records, fields: set[str]) -> list[str]:
    """What a reader must know of how the cells were run, one sentence each.

    Args:
        records: behind the table.
        fields: that the table shows; devices, attention and sharing are named where they decide one of these.
    """
    notes = _made_up(records.cells)
    if not fields & OF_DEVICE or measure_of(records) is None:
        return notes
    other = _other(records)
    cells = records.cells[~other & records.cells["status"].isin(["done", "out_of_memory"])]
    device = _device(cells, measure_of(records) == "cuda", bool(fields & PROCESS_MEMORY))
    notes = [device, *_attention(cells), *_compiled(cells), *notes]
    if other.any():
        notes.append(
            f"{int(other.sum())} cell(s) were measured on a CPU, the others on a GPU; memory and time of those on the "
            "CPU are left out"
        )
    smaller = cells[cells["shrunk"].notna()]
    if len(smaller):
        named = [
            f"{cell.method} on {cell.model} ({cell.shrunk:.0f} at a time)"
            for cell in smaller.drop_duplicates(["model", "method", "shrunk"]).itertuples()
        ]
        more = ", …" if len(named) > SHOWN else ""
        notes.append(
            f"{len(smaller)} cell(s) did not fit into the memory and were run in smaller micro-batches: "
            f"{', '.join(named[:SHOWN])}{more}"
        )
    shared = cells[pd.to_numeric(cells["sharing"]) > 1]
    if len(shared):
        most = int(shared["sharing"].max())
        notes.append(
            f"{len(shared)} cell(s) ran up to {most} at a time on one device: alone they would have been faster"
        )
    return notes


def _device(cells: pd.DataFrame, cuda: bool, memory: bool) -> str:
    names = " and ".join(sorted({str(name) for name in cells["accelerator"].dropna()})) or "a device of unknown name"
    where = f"measured on {names}" if cuda else f"measured without a GPU, on {names}"
    if not memory:
        return where
    if cuda:
        return f"{where}; memory is what CUDA's allocator handed out"
    return f"{where}; memory is the process's resident set, libraries included, which predictions leave out"


def _attention(cells: pd.DataFrame) -> list[str]:
    """Names the attention where it is not everywhere the default."""
    counts = _counted(cells, "model.attention")
    usual = ModelConfig.attention.value
    if set(counts) <= {usual, ""}:
        return []
    if len(counts) == 1:
        return [f"attention: {next(iter(counts))}, not the default {usual}"]
    parts = [f"{kind or 'not recorded'} in {count} cell(s)" for kind, count in sorted(counts.items())]
    return [f"attention: {', '.join(parts)}, which differ in memory and time"]


def _compiled(cells: pd.DataFrame) -> list[str]:
    """Says in how many cells the blocks were compiled."""
    count = _counted(cells, "training.compile")["true"]
    return [f"blocks compiled by torch in {count} of {len(cells)} cell(s)"] if count else []


def _made_up(cells: pd.DataFrame) -> list[str]:
    """Says where weights or data are not the real ones."""
    found = {
        "random weights": _counted(cells, "model.weights")[Weights.random.value],
        "synthetic data": _counted(cells, "data.synthetic")["true"],
    }
    parts = [
        what if count == len(cells) else f"{what} in {count} of {len(cells)} cells"
        for what, count in found.items()
        if count
    ]
    return [", ".join(parts)] if parts else []


def _counted(cells: pd.DataFrame, key: str) -> Counter[str]:
    """How many cells have which value of a setting; empty for none."""
    values: Counter[str] = Counter()
    for settings, count in cells["settings"].value_counts().items():
        values[flat_settings(str(settings)).get(key, "")] += int(count) if count else 0
    return Counter({value: count for value, count in values.items() if count})
