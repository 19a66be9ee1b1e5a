"""The record: what running a cell left behind. Schema version 2.

Bytes, seconds and counts are plain numbers; null means not measured, never zero. A score is stored as its metric
defines it: accuracy and F1 in 0…1, correlations in −1…1, BLEU and chrF in 0…100.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from bench.configuration.cell import Cell
from bench.errors import UserError

SCHEMA_VERSION = 2


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
        subjects: per-subject accuracy (MMLU); empty elsewhere.
        curve: evaluations along training, each {"step", "values"}.
        losses: training losses, each {"step", "loss"}: the mean since the one before.
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
    total: float | None = None
    steps: int | None = None
    steps_followed: int | None = None  # of these, for what fills the memory; the speeds below leave them out
    train_followed: float | None = None  # what these took of `train`; a little longer than they would have
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
    """

    seconds: float
    weights: int
    peak: int


@dataclass
class Storage:
    """Bytes of the saved adapter file."""

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
        if not isinstance(data, dict) or not isinstance(data.get("schema_version"), int):
            raise RecordError("not a record: schema_version is missing")
        if data["schema_version"] > SCHEMA_VERSION:
            raise RecordError(
                f"schema_version {data['schema_version']} is newer than the {SCHEMA_VERSION} known here; update bench"
            )
        data = migrate(data)
        try:
            memory = data["memory"]
            if memory is not None:
                memory = Memory(
                    measure=memory["measure"],
                    phases=_phases(memory["phases"]),
                    train_peak_split=_maybe(MemorySplit, memory["train_peak_split"]),
                    train_peak_predicted=_maybe(MemorySplit, memory.get("train_peak_predicted")),
                    device_total=memory["device_total"],
                    ranks=[_phases(phases) for phases in memory.get("ranks", [])],
                )
            return cls(
                cell=CellIdentity(**data["cell"]),
                status=Status(data["status"]),
                environment=data["environment"],
                error=_maybe(Failure, data["error"]),
                metrics=_maybe(Metrics, data["metrics"]),
                parameters=_maybe(Parameters, data["parameters"]),
                memory=memory,
                time=Time(**data["time"]),
                storage=Storage(**data["storage"]),
                inference={name: InferenceCost(**cost) for name, cost in data.get("inference", {}).items()},
                fingerprints=data["fingerprints"],
                origins=data["origins"],
                warnings=data["warnings"],
                schema_version=data["schema_version"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"not a record: {type(error).__name__} {error}") from error


def _phases(data: dict[str, dict[str, Any]]) -> dict[str, PhaseMemory]:
    return {name: PhaseMemory(**phase) for name, phase in data.items()}


def _maybe(kind: Any, data: dict[str, Any] | None) -> Any:
    return None if data is None else kind(**data)


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
