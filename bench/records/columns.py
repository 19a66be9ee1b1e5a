"""Record files → columns of plain values, fast: a big sweep leaves 100,000 of them.

Every file goes through `Record.from_dict`, so damaged and too new records are refused here as everywhere. What a
table never shows (losses, tracebacks) is dropped in the worker that read it.
"""

import gc
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson  # five times as fast as the standard library's, which would take most of the time

from bench.errors import UserError
from bench.records.schema import Record, RecordError
from bench.records.store import FILE, experiment_folder

Columns = dict[str, list[Any]]

PARALLEL_FROM = 3000  # below this many files a pool costs more than it saves
CHUNK = 1000  # files per piece of work

LOSSES, LOSSES_END = b'\n  "losses": [', b"\n  ]"

LONG_AND_REPEATED = frozenset({"settings", "grid", "data", "experiment"})

# What decides a score beside the seed; `settings` carries it as JSON, equal for equal settings.
SETTINGS = ("model", "task", "method", "training", "data")


def find_records(results_dir: str | Path, experiment: str) -> list[str]:
    """Paths of all records below `results_dir`/`experiment`, at any depth, sorted.

    Raises:
        UserError: a folder cannot be read.
    """
    top = experiment_folder(results_dir, experiment)
    return sorted(_record_files(str(top))) if top.is_dir() else []


def _record_files(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            below = [entry.path for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    except OSError as error:
        raise UserError(f"cannot read the results folder {folder}: {error.strerror}") from error
    for path in below:
        record = f"{path}/{FILE}"
        if os.path.exists(record):
            yield record  # a cell's folder holds no other cells
        else:
            yield from _record_files(path)


def read_columns(paths: list[str]) -> Columns:
    """Read the records at `paths`, a list per column of `COLUMNS`, all of the same length and order.

    Raises:
        RecordError: a record is damaged or of a newer schema; the message names its file.
    """
    if len(paths) < PARALLEL_FROM:
        return _read_chunk(paths)
    with without_collecting():
        return _read_in_parallel(paths)


def _read_in_parallel(paths: list[str]) -> Columns:
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    joined: Columns = {name: [] for name in COLUMNS}
    # Not a fork: the caller may run threads (a progress bar). A worker imports this file only, without pandas.
    with ProcessPoolExecutor(_workers(), mp_context=get_context("spawn")) as pool:
        for part in pool.map(_read_chunk, chunks):
            for name, values in part.items():
                # One object for equal strings, also across chunks: settings repeat thousands of times.
                joined[name] += map(sys.intern, values) if name in LONG_AND_REPEATED else values
    return joined


def _workers() -> int:
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@contextmanager
def without_collecting() -> Iterator[None]:
    """Let nobody look for cycles: records hold none, and looking among so many takes most of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@without_collecting()
def _read_chunk(paths: list[str]) -> Columns:
    rows = []
    seen: dict[str, str] = {}
    for path in paths:
        record = _read(path)
        fields = [field(record) for field in FIELDS.values()]
        row = [path, *fields, *_curve_summary(fields[CURVE_FIELD])]
        # One object for equal strings, which also makes the way back to the parent process short.
        rows.append([seen.setdefault(value, value) if type(value) is str else value for value in row])
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    return {name: list(values) for name, values in zip(COLUMNS, columns, strict=True)}


def _read(path: str) -> Record:
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            text = os.read(handle, os.fstat(handle).st_size + 1)
        finally:
            os.close(handle)
        return Record.from_dict(_parse(_without_losses(text)))
    except (ValueError, RecordError) as error:
        raise RecordError(f"{path}: {error}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _parse(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)  # takes NaN, which other tools write; and its message names line and column


def _without_losses(text: bytes) -> bytes:
    """The record's JSON text with an empty list of losses: half of a record or more, and no table shows them.

    In JSON as the store writes it, a line break is never inside a string, so a line that looks like the key at its
    depth is that key, and the next bracket at that depth closes it. Text laid out in another way is left as it is.
    """
    begin = text.find(LOSSES)
    end = text.find(LOSSES_END, begin)
    return text if begin < 0 or end < 0 else text[:begin] + LOSSES + text[end + 3 :]


def _part(record: Record, part: str, key: str, default: Any = None) -> Any:
    """`record.cell.config[part][key]`; records of user-made tools may lack parts of the configuration."""
    section = record.cell.config.get(part)
    value = section.get(key) if isinstance(section, dict) else None
    return default if value is None else value


def _is_miniature(record: Record) -> bool:
    names = (record.cell.model, record.cell.task)
    shipped = _part(record, "model", "shipped") is not None
    return any(name.startswith("miniature/") for name in names) or shipped or _part(record, "task", "miniature", False)


def _json(value: Any, option: int = 0) -> str:
    return orjson.dumps(value, option=option).decode()


def _settings(record: Record) -> str:
    return _json({part: record.cell.config.get(part) for part in SETTINGS})


def _grid(record: Record) -> str:
    return _json(_part(record, "experiment", "grid", []))


def _trial(record: Record) -> str:
    """What makes this a trial run, such as "training.max_steps=3"; empty for a full one."""
    keys = (("training", "max_steps"), ("data", "limit_train"), ("data", "limit_evaluation"))
    found = [(f"{part}.{key}", _part(record, part, key)) for part, key in keys]
    return ", ".join(f"{name}={value}" for name, value in found if value is not None)


def _phase_peak(record: Record, phase: str) -> int | None:
    """The phase's peak in bytes: allocated on a GPU, resident set on a CPU."""
    peaks = record.memory.phases.get(phase) if record.memory else None
    if peaks is None or record.memory is None:
        return None
    return peaks.peak_rss if record.memory.measure == "rss" else peaks.peak_allocated


def _split(part: str) -> Callable[[Record], Any]:
    return lambda r: getattr(r.memory.train_peak_split, part) if r.memory and r.memory.train_peak_split else None


def _predicted(record: Record) -> int | None:
    parts = record.memory.train_peak_predicted if record.memory else None
    return None if parts is None else sum(vars(parts).values())


def _inference(form: str, name: str) -> Callable[[Record], Any]:
    return lambda r: getattr(r.inference[form], name) if form in r.inference else None


def _slowdown(record: Record) -> float | None:
    """How much longer the adapted model's forward pass takes than the bare one's, in percent."""
    if not {"adapted", "bare"} <= record.inference.keys():
        return None
    return 100 * (record.inference["adapted"].seconds / record.inference["bare"].seconds - 1)


def _count(name: str) -> Callable[[Record], Any]:
    return lambda r: getattr(r.parameters, name) if r.parameters else None


def _curve(record: Record) -> tuple[tuple[int, float | None], ...]:
    """(step, main metric) of each evaluation along training."""
    metrics = record.metrics
    if metrics is None:
        return ()
    return tuple((point["step"], point["values"].get(metrics.main)) for point in metrics.curve)


def _curve_summary(curve: tuple[tuple[int, float | None], ...]) -> tuple[float | None, ...]:
    """Values of the columns `CURVE`; the fluctuation is the mean absolute change from one evaluation to the next."""
    points = [(value, step) for step, value in curve if value is not None]
    if not points:
        return (None,) * len(CURVE)
    values = [value for value, _ in points]
    best = max(values)
    changes = [abs(after - before) for before, after in itertools.pairwise(values)]
    fluctuation = sum(changes) / len(changes) if changes else None
    return len(points), values[0], best, values[-1], points[values.index(best)][1], fluctuation


# Column → how it is read off a record. Bytes, seconds and counts as in the record; None where not measured.
FIELDS: dict[str, Callable[[Record], Any]] = {
    "id": lambda r: r.cell.id,
    "experiment": lambda r: r.cell.experiment,
    "model": lambda r: r.cell.model,
    "model_title": lambda r: _part(r, "model", "title", r.cell.model),
    "task": lambda r: r.cell.task,
    "task_title": lambda r: _part(r, "task", "title", r.cell.task),
    "method": lambda r: r.cell.method,
    "method_title": lambda r: _part(r, "method", "title", r.cell.method),
    "category": lambda r: _part(r, "method", "category", "other"),
    "miniature": _is_miniature,
    "seed": lambda r: r.cell.seed,
    "status": lambda r: r.status.value,
    "error": lambda r: f"{r.error.type}: {r.error.message}"[:300] if r.error else None,
    "settings": _settings,
    "grid": _grid,
    "trial": _trial,
    "main": lambda r: r.metrics.main if r.metrics else None,
    "metrics": lambda r: r.metrics.values if r.metrics else {},
    "curve": _curve,
    "trainable": _count("trainable"),
    "method_parameters": _count("method"),
    "head": _count("head"),
    "training_only": _count("training_only"),
    "stored": _count("stored"),
    "base_total": _count("base_total"),
    "measure": lambda r: r.memory.measure if r.memory else None,
    "load_peak": lambda r: _phase_peak(r, "load"),
    "train_peak": lambda r: _phase_peak(r, "train"),
    "evaluate_peak": lambda r: _phase_peak(r, "evaluate"),
    "frozen_weights": _split("frozen_weights"),
    "trainable_weights": _split("trainable_weights"),
    "gradients": _split("gradients"),
    "optimiser_state": _split("optimiser_state"),
    "activations": _split("activations"),
    "rest": _split("rest"),
    "predicted_peak": _predicted,
    **{
        f"inference_{form}_{name}": _inference(form, name)
        for form in ("adapted", "merged", "bare")
        for name in ("seconds", "peak")
    },
    "inference_slowdown": _slowdown,
    "utilisation": lambda r: None if r.time.utilisation is None else 100 * r.time.utilisation,
    "step_seconds": lambda r: r.time.step_p50,
    "train_seconds": lambda r: r.time.train,
    "total_seconds": lambda r: r.time.total,
    "steps": lambda r: r.time.steps,
    "tokens_per_second": lambda r: r.time.tokens_per_second,
    "adapter_bytes": lambda r: r.storage.adapter_bytes,
    "accelerator": lambda r: r.environment.get("accelerator") or r.environment.get("cpu"),
    "host": lambda r: r.environment.get("host"),
    "data": lambda r: _json(r.environment.get("data") or {}, orjson.OPT_SORT_KEYS),
    "end": lambda r: r.environment.get("end") or "",
}
CURVE = ("curve_points", "curve_first", "curve_best", "curve_last", "curve_best_step", "curve_fluctuation")
CURVE_FIELD = [*FIELDS].index("curve")
COLUMNS = ("path", *FIELDS, *CURVE)
