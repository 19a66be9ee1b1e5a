"""Made-up records for the tests of tables and findings: the schema's, without running anything."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.configuration.cell import IDENTITY, hash_of, name_of
from bench.records.schema import (
    CellIdentity,
    Failure,
    Memory,
    MemorySplit,
    Metrics,
    Parameters,
    PhaseMemory,
    Record,
    Status,
    Storage,
    Time,
)

CATEGORY = {
    "full": "full", "adapter_s": "additive", "prompt_tuning": "additive", "prefix_tuning": "additive",
    "ia3": "additive", "bitfit": "partial", "child_tuning_d": "partial", "lora": "reparameterised",
    "adalora": "reparameterised", "qlora": "reparameterised", "mam": "hybrid", "propelt_adapter": "unified",
    "propelt_prefix": "unified", "propelt_lora": "unified",
}  # fmt: skip


def make_record(
    model: str = "miniature/roberta",
    task: str = "miniature/sst2",
    method: str = "lora",
    seed: int = 0,
    scores: dict[str, float] | None = None,
    *,
    experiment: str = "miniature/glue",
    status: Status = Status.done,
    grid: list[dict[str, Any]] | None = None,
    training: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    titles: dict[str, str] | None = None,
    trainable: int = 1000,
    base_total: int = 100_000,
    train_peak: int | None = 2_000_000_000,
    split: MemorySplit | None = None,
    curve: list[tuple[int, float]] | None = None,
    host: str = "one",
    end: str = "2026-01-01T00:00:00+00:00",
    measure: str = "cuda",
    fingerprints: dict[str, Any] | None = None,
) -> Record:
    titles = titles or {}
    scores = {"accuracy": 0.5} if scores is None else scores
    main = next(iter(scores), "accuracy")
    miniature = task.startswith("miniature/")
    config = {
        "experiment": {
            "name": experiment,
            "title": experiment,
            "table": experiment.rpartition("/")[2],
            "grid": grid or [],
        },
        "model": {"name": model, "title": titles.get("model", model), "family": "encoder", "shipped": None},
        "task": {"name": task, "title": titles.get("task", task), "miniature": miniature},
        "method": {"name": method, "title": titles.get("method", method), "category": CATEGORY.get(method, "other")},
        "training": {"batch_size": 32, "learning_rate": 1e-4, "epochs": 3.0, "max_steps": None, **(training or {})},
        "data": {"root": None, "limit_train": None, "limit_evaluation": None, **(data or {})},
        "seed": seed,
    }
    name = "-".join(part.replace("/", "_") for part in (model, task, method))
    done = status == Status.done
    phases = {"train": PhaseMemory(peak_allocated=train_peak, peak_reserved=train_peak, peak_rss=train_peak)}
    return Record(
        cell=CellIdentity(f"{name}-s{seed}", experiment, model, task, method, seed, config, "0" * 64),
        status=status,
        environment={"accelerator": "GPU", "host": host, "data": {}, "end": end, "cpu": "CPU"},
        error=None if done else Failure("RuntimeError", "it broke", "Traceback …", "train"),
        metrics=Metrics(
            main, scores, curve=[{"step": step, "values": {main: value}} for step, value in curve or []]
        ) if done else None,
        parameters=Parameters(trainable, trainable, 0, 0, trainable, base_total),
        memory=Memory(measure, phases, split, None),
        time=Time(train=10.0, total=12.0, steps=100),
        storage=Storage(4 * trainable),
        fingerprints={"weights": {"digest": "1" * 32}} if fingerprints is None else fingerprints,
    )  # fmt: skip


def identified(record: Record) -> Record:
    """The record under the name that its settings give it."""
    settings = {key: record.cell.config[key] for key in IDENTITY}
    named = {kind: settings[kind]["name"] for kind in ("model", "task", "method")}
    digest = hash_of(settings)
    name = name_of(*named.values(), settings["seed"], digest)
    return replace(record, cell=replace(record.cell, **named, seed=settings["seed"], id=name, config_hash=digest))


def save(results: Path, *records: Record, folder: str | None = None) -> list[Path]:
    """Write records as the store does, without its care for earlier attempts; NaN stays NaN."""
    paths = []
    for number, record in enumerate(map(identified, records)):
        at = results / record.cell.experiment / (folder or "") / record.cell.id
        at = at.parent / f"again-{number}" / at.name if at.exists() else at  # another record of the same cell
        at.mkdir(parents=True, exist_ok=True)
        (at / "record.json").write_text(json.dumps(record.to_dict()), encoding="utf-8")
        paths.append(at / "record.json")
    return paths


def glue_grid(methods: list[str], tasks: list[str], seeds: list[int]) -> list[dict[str, Any]]:
    return [{"model": "miniature/roberta", "task": tasks, "method": methods, "seed": seeds}]
