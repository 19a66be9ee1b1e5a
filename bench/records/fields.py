"""What the columns of `bench.records.columns` are, and how each is read off a record."""

import itertools
from collections.abc import Callable
from typing import Any

import orjson

from bench.records.belonging import contradiction
from bench.records.metric import HIGHER, Metric, from_dict
from bench.records.schema import Record

# What decides a score beside the seed; `settings` carries it as JSON, equal for equal settings.
SETTINGS = ("model", "task", "method", "training", "data")
# What shortens a cell.
SHORTENING = (("training", "max_steps"), ("data", "limit_train"), ("data", "limit_evaluation"))


def _part(record: Record, part: str, key: str, default: Any = None) -> Any:
    """`record.cell.config[part][key]`; records of user-made tools may lack parts of the configuration."""
    section = record.cell.config.get(part)
    value = section.get(key) if isinstance(section, dict) else None
    return default if value is None else value


def _is_miniature(record: Record) -> bool:
    names = (record.cell.model, record.cell.task)
    shipped = _part(record, "model", "shipped") is not None
    return any(name.startswith("miniature/") for name in names) or shipped or bool(_part(record, "task", "miniature"))


def _mixture(record: Record) -> str:
    """Of a mixture what it was made of, `LoRA 0.7 + BitFit`; empty for anything else."""
    size = record.environment.get("size")
    return str(size.get("title") or "") if isinstance(size, dict) else ""


def _search(name: str) -> Callable[[Record], Any]:
    """What the search took that chose the settings; None where none did, or it does not say."""

    def took(record: Record) -> Any:
        study = _part(record, "training", "chosen_by")
        value = study.get(name) if isinstance(study, dict) else None
        return value if type(value) in (int, float) else None  # nobody has looked at it before

    return took


def _json(value: Any, option: int = 0) -> str:
    return orjson.dumps(value, option=option).decode()


def _settings(record: Record) -> str:
    return _json({part: record.cell.config.get(part) for part in SETTINGS})


def _grid(record: Record) -> str:
    return _json(_part(record, "experiment", "grid", []))


def _trial(record: Record) -> str:
    """What makes this a trial run, such as "training.max_steps=3"; empty for a full one.

    What the experiment's own grid sets cuts nothing short: the experiment is meant like that. Less than that does.
    """
    found = []
    subjects = _part(record, "task", "subjects")
    if subjects is not None and record.cell.task.rpartition("/")[2] == "mmlu":  # a task of one's own has its own name
        found.append(f"task.subjects={','.join(map(str, subjects))}"[:60])
    for section, name in SHORTENING:
        value, key = _part(record, section, name), f"{section}.{name}"
        if value is not None and not any(value >= least for least in _grid_values(record, key)):
            found.append(f"{key}={value}")
    return ", ".join(found)


def _grid_values(record: Record, key: str) -> list[float]:
    """The numbers that the experiment's grid gives `key` for cells of this record's model, task and method."""
    names = {"model": record.cell.model, "task": record.cell.task, "method": record.cell.method}
    values: list[float] = []
    for subgrid in _part(record, "experiment", "grid", []):
        choices = {name.lstrip("+"): value if isinstance(value, list) else [value] for name, value in subgrid.items()}
        if all(name in choices.get(group, [name]) for group, name in names.items()):
            values += [value for value in choices.get(key, []) if isinstance(value, int | float)]
    return values


def _shrunk(record: Record) -> int | None:
    """Examples of a micro-batch after `on_oom=shrink` made it smaller; None where it did not."""
    sizes = record.environment.get("shrunk")
    return sizes[-1]["micro_batch_size"] if sizes else None


def _sharing(record: Record) -> int | None:
    """How many cells ran on the same device at a time."""
    cells = record.environment.get("sharing")
    return cells if type(cells) is int else None


def _phase_peak(record: Record, phase: str) -> int | None:
    """The phase's peak in bytes: allocated on a GPU, resident set on a CPU."""
    peaks = record.memory.phases.get(phase) if record.memory else None
    if peaks is None or record.memory is None:
        return None
    return peaks.peak_rss if record.memory.measure == "rss" else peaks.peak_allocated


def _reserved(record: Record) -> int | None:
    """What CUDA's allocator held of the device at most while training, in bytes: the peak and what lay idle."""
    peaks = record.memory.phases.get("train") if record.memory else None
    return peaks.peak_reserved if peaks else None


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
    adapted, bare = record.inference["adapted"].seconds, record.inference["bare"].seconds
    return 100 * (adapted / bare - 1) if adapted and bare else None  # a coarse clock may see no time at all


def _extra_operations(form: str) -> Callable[[Record], Any]:
    """How many operations a form's forward pass of one example takes more than the bare model's."""

    def more(record: Record) -> float | None:
        costs = [record.inference.get(name) for name in (form, "bare")]
        of_form, bare = (None if cost is None else cost.operations for cost in costs)
        return None if of_form is None or bare is None else of_form - bare

    return more


def _forgotten(name: str) -> Callable[[Record], Any]:
    return lambda r: getattr(r.forgetting, name) if r.forgetting else None


def _count(name: str) -> Callable[[Record], Any]:
    return lambda r: getattr(r.parameters, name) if r.parameters else None


def _kept(record: Record) -> float | None:
    """What a budget counts: values that are kept, the task head left out."""
    return None if record.parameters is None else record.parameters.stored - record.parameters.head


def _curve(record: Record) -> tuple[tuple[int, float | None], ...]:
    """(step, main metric) of each evaluation along training."""
    metrics = record.metrics
    if metrics is None:
        return ()
    return tuple((point["step"], point["values"].get(metrics.main)) for point in metrics.curve)


def main_metric(record: Record) -> Metric:
    """What the record's main metric is."""
    main = record.metrics.main if record.metrics else ""
    return from_dict(main, record.metrics.about.get(main) if record.metrics else None)


def _chosen_by(record: Record) -> str:
    """The study that chose the settings, as JSON; empty for none."""
    study = _part(record, "training", "chosen_by")
    return _json(study, orjson.OPT_SORT_KEYS) if study else ""


def _selection_rows(record: Record) -> str:
    """Which rows were scored in place of the reported ones: `validation`, or `0.1 of train, seed 0`; empty for none."""
    scored_on = record.metrics.notes.get("scored_on") if record.metrics else None
    told = scored_on.get("selection") if isinstance(scored_on, dict) else None
    if not isinstance(told, dict):
        return ""
    split = str(told.get("split"))
    return f"{told['share']} of {split}, seed {told.get('seed')}" if "share" in told else split


def _kept_best(record: Record) -> bool:
    """Whether the scores are the best of several evaluations, which were of the very rows that the scores are of.

    Records that do not say which rows these were tell by their scores: they are those of an evaluation on the way.
    """
    metrics = record.metrics
    several = _part(record, "training", "evaluations", 1) > 1
    if metrics is None or not several or _part(record, "training", "keep_best") is not True:
        return False
    told = metrics.notes.get("scored_on")
    if isinstance(told, dict):
        return told.get("along_training") is True
    return any(point["values"] == metrics.values for point in metrics.curve)


def _bleu_tokenizer(record: Record) -> str:
    """What cut the words of BLEU, as sacreBLEU's signature has it; empty for none."""
    signatures = record.metrics.notes.get("sacrebleu") if record.metrics else None
    signature = signatures.get("bleu") if isinstance(signatures, dict) else None
    return str(signature or "").partition("tok:")[2].partition("|")[0]


def curve_summary(curve: tuple[tuple[int, float | None], ...], metric: Metric) -> tuple[float | None, ...]:
    """Values of the columns `CURVE`, the best one as the metric has it.

    The fluctuation is the mean absolute change from one evaluation to the next.
    """
    points = [(value, step) for step, value in curve if value is not None]
    if not points:
        return (None,) * len(CURVE)
    values = [value for value, _ in points]
    best = max(values) if metric.better == HIGHER else min(values)
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
    "mixture": _mixture,
    "category": lambda r: _part(r, "method", "category", "other"),
    "miniature": _is_miniature,
    "seed": lambda r: r.cell.seed,
    "status": lambda r: r.status.value,
    "error": lambda r: f"{r.error.type}: {r.error.message}"[:300] if r.error else None,
    "settings": _settings,
    "grid": _grid,
    "trial": _trial,
    "score_on": lambda r: _part(r, "data", "score_on", "reported"),
    "selection_rows": _selection_rows,
    "chosen_by": _chosen_by,
    "kept_best": _kept_best,
    "main": lambda r: r.metrics.main if r.metrics else None,
    "metrics": lambda r: r.metrics.values if r.metrics else {},
    "about": lambda r: _json(r.metrics.about if r.metrics else {}, orjson.OPT_SORT_KEYS),
    "bleu_tokenizer": _bleu_tokenizer,
    "curve": _curve,
    "trainable": _count("trainable"),
    "method_parameters": _count("method"),
    "head": _count("head"),
    "training_only": _count("training_only"),
    "stored": _count("stored"),
    "kept": _kept,
    "base_total": _count("base_total"),
    "measure": lambda r: r.memory.measure if r.memory else None,
    "load_peak": lambda r: _phase_peak(r, "load"),
    "train_peak": lambda r: _phase_peak(r, "train"),
    "train_peak_reserved": _reserved,
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
        for name in ("seconds", "peak", "operations")
    },
    "extra_operations": _extra_operations("adapted"),
    "extra_operations_merged": _extra_operations("merged"),
    "inference_slowdown": _slowdown,
    "utilisation": lambda r: None if r.time.utilisation is None else 100 * r.time.utilisation,
    "flops_per_second": lambda r: r.time.flops_per_second,
    "step_seconds": lambda r: r.time.step_p50,
    "step_p95": lambda r: r.time.step_p95,
    "load_seconds": lambda r: r.time.load,
    "prepare_seconds": lambda r: r.time.prepare_data,
    "evaluate_seconds": lambda r: r.time.evaluate,
    "forgetting_seconds": lambda r: r.time.forgetting,
    "train_seconds": lambda r: r.time.train,
    "total_seconds": lambda r: r.time.total,
    "search_trainings": _search("trainings"),
    "search_seconds": _search("device_seconds"),
    "steps": lambda r: r.time.steps,
    "tokens_per_second": lambda r: r.time.tokens_per_second,
    "adapter_bytes": lambda r: r.storage.adapter_bytes,
    "perplexity_before": _forgotten("before"),
    "perplexity_after": _forgotten("after"),
    "forgetting": _forgotten("difference"),
    "accelerator": lambda r: r.environment.get("accelerator") or r.environment.get("cpu"),
    "host": lambda r: r.environment.get("host"),
    "sharing": _sharing,
    "shrunk": _shrunk,
    "data": lambda r: _json(r.environment.get("data") or {}, orjson.OPT_SORT_KEYS),
    "end": lambda r: r.environment.get("end") or "",
    "made_of": lambda r: _json(r.fingerprints, orjson.OPT_SORT_KEYS),
    "contradiction": lambda r: contradiction(r.cell) or "",
}
CURVE = ("curve_points", "curve_first", "curve_best", "curve_last", "curve_best_step", "curve_fluctuation")
CURVE_FIELD = [*FIELDS].index("curve")
