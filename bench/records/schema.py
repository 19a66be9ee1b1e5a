"""The record: what running a cell left behind. Schema version 2.

Bytes, seconds and counts are plain numbers; null means not measured, never zero. A score is stored as its metric
defines it: accuracy and F1 in 0…1, correlations in −1…1, BLEU and chrF in 0…100.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from bench.configuration.cell import Cell
from bench.errors import UserError
from bench.records.open_parts import check_config, check_curve, check_environment
from bench.records.shape import LARGEST, made, mapping

T = TypeVar("T")

SCHEMA_VERSION = 2
PLAIN = ("fingerprints", "origins", "warnings", "schema_version")  # parts of a record that are kept as they are
NEEDED = ("cell", "status", "environment", "error", "metrics", "parameters", "memory", "time", "storage", *PLAIN)


class Status(StrEnum):
    """How an attempt ended."""

    done = "done"
    failed = "failed"
    out_of_memory = "out_of_memory"
    unsupported = "unsupported"


class RecordError(UserError):
    """A record that cannot be read: damaged, incomplete, or of a newer schema."""


@dataclass
class CellIdentity:
    """Which cell the record is of; `config` is all of it."""

    id: str
    experiment: str
    model: str
    task: str
    method: str
    seed: int
    config: dict[str, Any]
    config_hash: str

    @classmethod
    def of(cls, cell: Cell) -> "CellIdentity":
        """What a record says of its cell."""
        return cls(
            cell.id, cell.experiment, cell.model, cell.task, cell.method, cell.seed, cell.config, cell.config_hash
        )


@dataclass
class Failure:
    """Why an attempt did not end in `done`, and in which phase of the cell's life."""

    type: str
    message: str
    traceback: str
    phase: str


@dataclass
class Metrics:
    """Scores after training.

    Attributes:
        main: the name of the task's main metric in `values`.
        values: every metric of the task.
        subjects: the main metric of each part of the data that the task tells apart: of MMLU's subjects (accuracy), of
            the rows of each of several prompts; empty elsewhere.
        curve: evaluations along training, each {"step", "values"}.
        losses: training losses, each {"step", "loss"}: the mean since the one before.
        about: what each metric is, by name: its direction and range, see `bench.records.metric`.
        examples: how many examples of each split were used.
        notes: what a reader must know of the scores, e.g. how many few-shot examples were dropped.
    """

    main: str
    values: dict[str, float] = field(default_factory=dict)
    subjects: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    losses: list[dict[str, float]] = field(default_factory=list)
    examples: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    about: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Parameters:
    """Counts of values, not bytes.

    Attributes:
        trainable: all that the optimiser updates.
        method: of these, the method's own.
        head: of these, the task head's.
        training_only: of these, needed for training only (reparameterisation networks, mask scores).
        stored: what is kept to use the result, head included; a packed bit counts 1/32.
        base_total: the bare base model with its head, before the method was applied.
    """

    trainable: int
    method: int
    head: int
    training_only: int
    stored: float
    base_total: int


@dataclass
class PhaseMemory:
    """Peaks of one phase in bytes: CUDA's allocator where there is one, else the resident set."""

    peak_allocated: int | None = None
    peak_reserved: int | None = None
    peak_rss: int | None = None


@dataclass
class MemorySplit:
    """What fills the train peak, in bytes; the parts add up to it."""

    frozen_weights: int
    trainable_weights: int
    gradients: int
    optimiser_state: int
    activations: int
    rest: int


@dataclass
class Memory:
    """Memory by phase. `measure` is "cuda" (allocator) or "rss" (resident set of the process, "cpu" runs).

    Of a cell on several processes, `phases` and the split are sums over all, and `ranks` has each one's phases.
    """

    measure: str
    phases: dict[str, PhaseMemory] = field(default_factory=dict)
    train_peak_split: MemorySplit | None = None
    train_peak_predicted: MemorySplit | None = None  # foretold by bench.planning; the sum is the peak
    device_total: int | None = None
    ranks: list[dict[str, PhaseMemory]] = field(default_factory=list)


@dataclass
class Time:
    """Seconds. `train` is optimizer steps only: no data preparation, no evaluation."""

    load: float | None = None
    prepare_data: float | None = None
    train: float | None = None
    evaluate: float | None = None
    forgetting: float | None = None  # the text's perplexity, before and after; the bare model's loading included
    total: float | None = None
    steps: int | None = None
    steps_followed: int | None = None  # of these, for what fills the memory; the speeds below leave them out
    train_followed: float | None = None  # what these took of `train`; a little longer than they would have
    steps_compiling: int | None = None  # of the steps, those in which blocks were compiled; the speeds leave them out
    train_compiling: float | None = None  # what these took of `train`
    compiling: float | None = None  # what compiling took of that; None where training.compile is false
    step_p50: float | None = None
    step_p95: float | None = None
    tokens_per_second: float | None = None  # without padding
    flops_per_second: float | None = None  # of matrix products and attention, as torch's flop counter counts them
    utilisation: float | None = None  # these as a share of the device's peak; None where that is not known


@dataclass
class InferenceCost:
    """A forward pass over one batch without gradients.

    Attributes:
        seconds: the median of several.
        weights: bytes of the model.
        peak: bytes of the model and all that the pass needs, at the largest moment: on CUDA the allocator's, on a CPU
            the storages of PyTorch's operations.
        operations: floating-point operations for each example of the batch, padding included; None in older records.
    """

    seconds: float
    weights: int
    peak: int
    operations: float | None = None


@dataclass
class Forgetting:
    """What the model lost of what it knew: its perplexity on a text that the training has not.

    Attributes:
        before: the bare model's, as the cell's `model` configures it; None where memory did not suffice for it.
        after: the trained model's.
        difference: `after` minus `before`: above zero, something is forgotten.
        tokens: that were predicted, each from those before it in its window.
        window: tokens of a window, at most.
        text: SHA-256 of the file.
        overlap: how many of the text's `pieces` have the words of a training row.
        pieces: lines of a .txt file, rows of a .jsonl one.
    """

    before: float | None
    after: float | None
    difference: float | None
    tokens: int
    window: int
    text: str
    overlap: int
    pieces: int


@dataclass
class Storage:
    """Bytes of the file of tensors in `trained/`; where none is kept, of these tensors."""

    adapter_bytes: int | None = None


@dataclass
class Record:
    """One attempt at one cell.

    Attributes:
        cell: which one.
        status: how it ended.
        environment: what it ran on.
        error: why it did not end in `done`.
        metrics, parameters, memory, time, storage: what was measured.
        inference: a forward pass of the adapted, the merged and the bare model, by form.
        forgetting: what the training cost of what the model knew; None where it was not asked for.
        fingerprints: of what the cell was made of, by kind: weights, tokenizer, data, classes, libraries.
        origins: where each setting was taken from, by its key: command line, a file, a default.
        warnings: what a reader of the scores ought to know before believing them, one line each.
        schema_version: of this layout.
    """

    cell: CellIdentity
    status: Status
    environment: dict[str, Any]
    error: Failure | None = None
    metrics: Metrics | None = None
    parameters: Parameters | None = None
    memory: Memory | None = None
    time: Time = field(default_factory=Time)
    storage: Storage = field(default_factory=Storage)
    inference: dict[str, InferenceCost] = field(default_factory=dict)
    forgetting: Forgetting | None = None
    fingerprints: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The record as plain containers, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> "Record":
        """Read a record back from plain containers.

        Raises:
            RecordError: not a record, or one of a newer schema than this program knows.
        """
        try:
            return _record(migrate(_with_version(data)))
        except ValueError as error:
            raise RecordError(f"not a record: {error}") from error


def _with_version(data: Any) -> dict[str, Any]:
    """`data`, if it says which known version of the schema it is of."""
    version = data.get("schema_version") if isinstance(data, dict) else None
    if type(version) is not int:  # True is an int to Python
        raise ValueError("schema_version is missing")
    if version > SCHEMA_VERSION:
        raise RecordError(f"schema_version {version} is newer than the {SCHEMA_VERSION} known here; update bench")
    if version < 1:
        raise ValueError(f"there is no schema_version {version}")
    known: dict[str, Any] = data
    return known


def _record(data: dict[str, Any]) -> Record:
    """The record, every part of the type that its class says; raises ValueError."""
    for name in NEEDED:
        if name not in data:
            raise ValueError(f"{name} is missing")
    costs = mapping(data.get("inference", {}), "inference")
    parts = {
        "cell": made(CellIdentity, data["cell"], "cell"),
        "status": _status(data["status"]),
        "environment": data["environment"],
        "error": _maybe(Failure, data["error"], "error"),
        "metrics": _maybe(Metrics, data["metrics"], "metrics"),
        "parameters": _maybe(Parameters, data["parameters"], "parameters", 0),
        "memory": _memory(data["memory"]),
        "time": made(Time, data["time"], "time", 0),
        "storage": made(Storage, data["storage"], "storage", 0),
        "inference": {name: made(InferenceCost, cost, f"inference.{name}", 0) for name, cost in costs.items()},
        "forgetting": _maybe(Forgetting, data.get("forgetting"), "forgetting"),
    }
    record = made(Record, parts | {name: data[name] for name in PLAIN}, "record")
    check_config(record.cell.config)
    check_environment(record.environment)
    if record.metrics is not None:
        check_curve(record.metrics.curve)
    return record


def _status(word: Any) -> Status:
    try:
        return Status(word)
    except ValueError:
        raise ValueError(f"there is no status {word!r:.40}") from None


def _maybe(kind: type[T], data: Any, where: str, least: float = -LARGEST) -> T | None:
    return None if data is None else made(kind, data, where, least)


def _memory(data: Any) -> Memory | None:
    if data is None:
        return None
    parts = dict(mapping(data, "memory"))
    parts["phases"] = _phases(parts.get("phases"), "memory.phases")
    for name in ("train_peak_split", "train_peak_predicted"):
        parts[name] = _maybe(MemorySplit, parts.get(name), f"memory.{name}")
    ranks = parts.get("ranks", [])
    if not isinstance(ranks, list):
        raise ValueError("memory.ranks is no list")
    parts["ranks"] = [_phases(phases, f"memory.ranks.{rank}") for rank, phases in enumerate(ranks)]
    return made(Memory, parts, "memory")


def _phases(data: Any, where: str) -> dict[str, PhaseMemory]:
    return {name: made(PhaseMemory, phase, f"{where}.{name}", 0) for name, phase in mapping(data, where).items()}


def migrate(data: dict[str, Any]) -> dict[str, Any]:
    """Bring an older record to the present schema, one version at a time."""
    for version in range(data["schema_version"], SCHEMA_VERSION):
        data = MIGRATIONS[version](data)
    return data


def _without_fingerprints(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 said nothing of what a cell was made of."""
    return data | {"fingerprints": {}, "origins": {}, "warnings": [], "schema_version": 2}


# From version to version + 1.
MIGRATIONS: dict[int, Any] = {1: _without_fingerprints}
