"""What `first_minutes_on_a_gpu.sh` wants to know of the records that its steps left behind.

    python -m scripts.check_first_minutes CHECK FOLDER [FOLDER …]

FOLDER is a results folder; of several records in it, the one of seed 0 counts. Prints one line of what was found; the
exit code is 1, and the line says why, where it is not as it has to be.
"""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

from bench.records.schema import MemorySplit, Record
from bench.records.store import read_record

FOLLOWED = ("frozen_weights", "trainable_weights", "gradients", "optimiser_state", "activations")
LOSSES = 1e-3  # by what share losses of the same training may differ: kernels add in any order
PEAKS = 0.01  # and allocator's peaks
TIMES = 0.25  # and median step times, where nothing else uses the GPU
PREDICTED = 0.10  # and a peak from its prediction; docs/memory.md says what a prediction does not know


class WrongError(Exception):
    """A record is not as it has to be; the message is one line."""


def main(arguments: list[str]) -> int:
    """Make one check; returns the exit code, 2 for a wrong call."""
    if len(arguments) < 2 or arguments[0] not in CHECKS:
        print(f"check_first_minutes: one of {', '.join(CHECKS)}, and results folders", file=sys.stderr)
        return 2
    try:
        print(CHECKS[arguments[0]](*(Path(folder) for folder in arguments[1:])))
    except WrongError as error:
        print(error)
        return 1
    return 0


def on_a_cpu(folder: Path) -> str:
    """The cell ran on the CPU."""
    record, _ = done(folder)
    require(record.environment["accelerator"] is None and measure(record) == "rss", f"it ran on {device(record)}")
    return f"on the CPU: {record.environment['cpu']}"


def on_a_gpu(folder: Path) -> str:
    """The cell ran on a GPU, and its memory is the allocator's."""
    record, _ = done(folder)
    require(record.environment["accelerator"] is not None and measure(record) == "cuda", "it did not run on a GPU")
    return f"on {device(record)}"


def same(first: Path, second: Path) -> str:
    """Two runs of one cell: losses, bytes and, where each had a GPU to itself, step times."""
    (one, _), (other, _) = done(first), done(second)
    same_losses(one, other)
    require(one.storage == other.storage, "what was trained has another size")
    for name in FOLLOWED:
        here, there = getattr(split(one), name), getattr(split(other), name)
        require(here == there, f"{name}: {here} and {there} bytes")
    if measure(one) == "cuda":
        here, there = peak(one), peak(other)
        require(math.isclose(here, there, rel_tol=PEAKS), f"peaks of {here} and {there} bytes")
    shared = max(one.environment["sharing"], other.environment["sharing"])
    ratio = seconds(other) / seconds(one)
    if measure(one) == "cuda" and shared == 1:
        require(abs(ratio - 1) <= TIMES, f"the second took {ratio:.2f} times the first's time for a step")
    note = " (not judged: a processor's time is shared)" if measure(one) != "cuda" else ""
    note = f" (not judged: {shared} cells shared it)" if shared > 1 else note
    return f"the same losses and bytes; {ratio:.2f} times the time for a step{note}"


def prediction(folder: Path) -> str:
    """The train peak against its prediction: the allocator's on a GPU, that of the followed storages on a CPU."""
    record, _ = done(folder)
    require(record.memory is not None and record.memory.train_peak_predicted is not None, "there is no prediction")
    assert record.memory is not None
    assert record.memory.train_peak_predicted is not None
    foretold, parts = record.memory.train_peak_predicted, split(record)
    if measure(record) == "cuda":
        predicted, measured = total(foretold), peak(record)
    else:
        predicted, measured = total(foretold) - foretold.rest, total(parts) - parts.rest
    line = f"predicted {predicted / 1e6:.1f} MB, measured {measured / 1e6:.1f} MB: {predicted / measured - 1:+.1%}"
    require(math.isclose(predicted, measured, rel_tol=PREDICTED), line)
    return line


def generated(folder: Path) -> str:
    """A cell in bf16 has answered with texts, and they have been scored."""
    record, path = done(folder)
    require(record.cell.config["training"]["precision"] == "bf16", "it was not trained in bf16")
    scores = record.metrics.values if record.metrics else {}
    require(bool(scores) and all(value is not None and math.isfinite(value) for value in scores.values()), "no scores")
    predictions = json.loads((path.parent / "predictions.json").read_text())["predictions"]
    texts = [text for split in predictions.values() for text in split]
    require(any(str(text).strip() for text in texts), "all texts are empty")
    return f"{len(texts)} texts, " + ", ".join(f"{name} {value:.2f}" for name, value in scores.items())


def resumed(killed: Path, undisturbed: Path) -> str:
    """A cell that was killed went on from a checkpoint, and ended like the one that was not."""
    (record, _), (other, _) = done(killed), done(undisturbed)
    steps = [entry["step"] for entry in record.environment.get("resumed", [])]
    require(bool(steps), "it began anew")
    same_losses(record, other)
    return f"went on after step {steps[-1]} of {record.time.steps}, the same losses"


def shrunk(folder: Path) -> str:
    """A cell ran out of memory and ended with smaller micro-batches."""
    record, _ = done(folder)
    sizes = [entry["micro_batch_size"] for entry in record.environment["shrunk"]]
    require(bool(sizes), "memory sufficed: nothing was shown")
    asked = record.cell.config["training"]["batch_size"]
    return f"micro-batches of {' and '.join(map(str, [asked, *sizes[:-1]]))} did not fit, of {sizes[-1]} did"


def on_two(folder: Path, *like: Path) -> str:
    """A cell on two processes has one record with both; its losses are those of another way to share the work."""
    record, _ = done(folder)
    ranks = len(record.memory.ranks) if record.memory else 0
    require(ranks == 2, f"the record has {ranks} processes")
    for other in like:
        same_losses(record, done(other)[0])
    return f"two processes, {device(record)}" + ", the same losses" * bool(like)


def done(folder: Path) -> tuple[Record, Path]:
    """The record of seed 0 in a results folder, and its path."""
    found = [(read_record(path), path) for path in sorted(folder.rglob("record.json"))]
    chosen = [(record, path) for record, path in found if record.cell.seed == 0]
    require(len(chosen) == 1, f"{len(chosen)} records of seed 0 in {folder.name}")
    record = chosen[0][0]
    reason = f": {record.error.message}" if record.error else ""
    require(record.status == "done", f"{record.status}{reason}")
    return chosen[0]


def require(holds: bool, otherwise: str) -> None:
    """Raise `WrongError` unless something holds."""
    if not holds:
        raise WrongError(" ".join(otherwise.split()))


def same_losses(one: Record, other: Record) -> None:
    """Raise `WrongError` unless two trainings had the same losses."""
    here, there = (
        [entry["loss"] for entry in record.metrics.losses] if record.metrics else [] for record in (one, other)
    )
    require(len(here) == len(there) > 0, f"{len(here)} and {len(there)} losses")
    for first, second in zip(here, there, strict=True):
        require(math.isclose(first, second, rel_tol=LOSSES), f"losses of {first} and {second}")


def measure(record: Record) -> str:
    """How the record's memory was measured: "cuda" or "rss"."""
    return record.memory.measure if record.memory else "not at all"


def device(record: Record) -> str:
    """What it ran on."""
    return str(record.environment["accelerator"] or record.environment["cpu"])


def split(record: Record) -> MemorySplit:
    """The parts of the train peak, in bytes."""
    require(record.memory is not None and record.memory.train_peak_split is not None, "the peak was not split")
    assert record.memory is not None
    assert record.memory.train_peak_split is not None
    return record.memory.train_peak_split


def total(parts: MemorySplit) -> int:
    """Bytes of all parts."""
    return sum(vars(parts).values())


def peak(record: Record) -> int:
    """The train peak of CUDA's allocator, in bytes."""
    found = record.memory.phases["train"].peak_allocated if record.memory else None
    require(found is not None, "the record has no train peak of a GPU")
    assert found is not None
    return found


def seconds(record: Record) -> float:
    """The median optimizer step."""
    require(record.time.step_p50 is not None, "no step was timed")
    assert record.time.step_p50 is not None
    return record.time.step_p50


CHECKS: dict[str, Callable[..., str]] = {
    "on_a_cpu": on_a_cpu, "on_a_gpu": on_a_gpu, "same": same, "prediction": prediction, "generated": generated,
    "resumed": resumed, "shrunk": shrunk, "on_two": on_two,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
