"""A trained cell scored on another task or split than its own: a result of its own kind, and no cell of any table."""

import copy
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.configuration.cell import Cell, hash_of
from bench.configuration.compose import build
from bench.errors import UserError, unknown_name
from bench.identity.data import reading
from bench.metering.environment import environment
from bench.metering.phases import PhaseMeter
from bench.methods.base import Method
from bench.models.head import Head
from bench.records.store import write_atomically
from bench.running.preparation import prepare
from bench.running.scores import evaluate_splits
from bench.running.trained import TrainedCell, assemble
from bench.system.plain_files import why
from bench.tasks.base import Split, Task
from bench.tasks.build import task_of

KIND, VERSION = "evaluation of a trained cell", 1
FOLDER = "evaluations"  # beside the record
OWN = ("task", "data", "training")  # what an evaluation has from its own command line; the rest is the cell's


@dataclass
class Evaluation:
    """What a trained cell scores where it was not trained.

    Attributes:
        cell: the id of the cell; `config_hash` tells it for certain.
        config_hash: its settings'.
        task: the name of the task that it was scored on.
        settings: of task and data, as composed.
        values: every metric by name, as a record has them.
        about: what each metric is.
        parts: the main metric of each part of the data that the task tells apart.
        examples: rows of each split that was scored.
        notes: what a reader must know of the scores.
        warnings: what a reader ought to know before believing them.
        fingerprints: of the data.
        environment: what it ran on.
        references, predictions: by split, in the same order.
    """

    cell: str
    config_hash: str
    task: str
    settings: dict[str, Any]
    values: dict[str, float | None]
    about: dict[str, Any]
    parts: dict[str, float]
    examples: dict[str, int]
    notes: dict[str, Any]
    warnings: list[str]
    fingerprints: dict[str, Any]
    environment: dict[str, Any]
    references: dict[str, list[Any]]
    predictions: dict[str, list[Any]]
    kind: str = KIND
    schema_version: int = VERSION
    start: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


def asked_of(own: dict[str, Any], composed: Cell, said: Sequence[str]) -> Cell:
    """What is to be scored: a cell's own task, data and lengths but for what was said, or all of another task's.

    Args:
        own: the trained cell's configuration.
        composed: the cell that the command line composes.
        said: the keys on it.
    """
    config = copy.deepcopy(composed.config)
    if "task" not in said:
        config |= copy.deepcopy({name: own[name] for name in OWN})
        for key in said:
            _put(config, key, composed.config)
    elif "data.root" not in said:
        config["data"]["root"] = own["data"]["root"]
    return Cell.from_config(config)


def _put(config: dict[str, Any], key: str, source: dict[str, Any]) -> None:
    """Take over the value at a dotted key."""
    *path, last = key.split(".")
    for name in path:
        config, source = config[name], source[name]
    config[last] = source[last]


def evaluate(found: TrainedCell, asked: Cell, splits: Sequence[str] = ()) -> Evaluation:
    """Score a trained cell.

    Args:
        found: the cell, as it was read.
        asked: a cell of the task, data and lengths to be scored; its model and method do not count.
        splits: names of splits; none: those that a cell of the task would be scored on.

    Raises:
        UserError: the cell cannot do the task, or there is no such split.
    """
    config = found.cell.config | {name: asked.config[name] for name in OWN}
    cell = replace(found.cell, task=asked.task, config=config)
    task = task_of(cell)
    check_fit(task_of(found.cell), task)
    if cell.data.synthetic:
        raise UserError("data.synthetic=true has nothing to score")
    with reading() as read:
        prepared = prepare(cell, task, build(config["method"], Method), PhaseMeter(found.device), found.device)
    assert prepared.inference is not None, "the data are not synthetic"
    chosen = _chosen(prepared.data.evaluation, splits) if splits else prepared.data.test or prepared.data.validation
    model = assemble(found)
    with found.arithmetic.autocast():
        scores = evaluate_splits(task, model, chosen, prepared.inference)
    told = {name: {"digest": revision} for name, revision in prepared.data.revisions.items()}
    return Evaluation(
        cell=found.record.cell.id,
        config_hash=found.record.cell.config_hash,
        task=task.name,
        settings={name: config[name] for name in ("task", "data")},
        values={name: value if math.isfinite(value) else None for name, value in scores.values.items()},
        about={name: task.metric(name).to_dict() for name in scores.values},
        parts=scores.parts,
        examples={name: len(split.examples) for name, split in chosen.items()},
        notes=prepared.data.notes | {"scored_on": {"splits": [*chosen]}},
        warnings=[*_other_labels(found.cell.config["task"], config["task"]), *prepared.warnings],
        fingerprints={"data": read or told},
        environment=environment(found.device),
        references=scores.references,
        predictions=scores.predictions,
    )


def check_fit(own: Task, task: Task) -> None:
    """Refuse a task whose answers the cell's model cannot give.

    Raises:
        UserError: it was trained with another head, or with none where one is needed, or the other way about.
    """
    then, now = own.head(), task.head()
    if then != now:
        raise UserError(
            f"the cell was trained on '{own.name}', whose answer is {_answer(then)}; that of '{task.name}' is "
            f"{_answer(now)}: it would have to be trained on it"
        )


def write_evaluation(made: Evaluation, record: Path, out: str | None = None) -> Path:
    """Write it as JSON, beside the record or to `out`; the same evaluation again takes the place of the earlier one.

    Raises:
        UserError: it cannot be written.
    """
    splits = "-".join(made.examples)
    name = f"{made.task.replace('/', '_')}-{splits}-{hash_of(made.settings)[:8]}.json"
    path = record.parent / FOLDER / name if out is None else Path(out)
    text = json.dumps(asdict(made), indent=1, ensure_ascii=False, default=str)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode())
    except OSError as error:
        raise UserError(f"cannot write {path}: {why(error)}") from error
    return path


def _chosen(there: dict[str, Split], names: Sequence[str]) -> dict[str, Split]:
    for name in names:
        if name not in there:
            raise unknown_name("split", name, there)
    return {name: there[name] for name in names}


def _answer(head: Head | None) -> str:
    if head is None:
        return "in words"
    return "a score" if head.regression else f"one of {head.labels} labels"


def _other_labels(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """As many labels of other names: what the head has learnt by the one is read as the other."""
    called = [[str(name) for name in _names(task.get("labels"))] for task in (then, now)]
    if not all(called) or called[0] == called[1]:
        return []
    pairs = ", ".join(f"{one} as {other}" for one, other in zip(*called, strict=False))
    return [f"the cell has learnt labels of other names: {pairs}"]


def _names(labels: Any) -> list[Any]:
    return list(labels.values()) if isinstance(labels, dict) else list(labels or ())
