"""The predicted train peak: what a record shows beside what was measured, and what a limit is held against."""

from bench.errors import UnsupportedError, UserError
from bench.planning.asked import bytes_of
from bench.planning.plan import usable
from bench.planning.predict import predict
from bench.planning.remedies import changed
from bench.records.schema import MemorySplit
from bench.running.memory_limits import shrunk_training
from bench.running.run import Run


def foretell(run: Run) -> MemorySplit | None:
    """Predict the train peak of an attempt, as it was really made; None with the reason in the record's environment."""
    training = shrunk_training(run.cell, run.record.environment["shrunk"])
    cell = changed(run.cell, {"training.micro_batch_size": training.micro_batch_size})
    try:
        return predict(cell, run.device.type).parts
    except Exception as error:  # whatever it is, the measured record is worth more and must be written
        run.record.environment["prediction"] = f"{type(error).__name__}: {error}"
        return None


def check_fits(run: Run) -> None:
    """Refuse a cell whose train peak will be above its `memory_limit`, before anything is loaded.

    Raises:
        UnsupportedError: it will.
        UserError: the limit is no size, or the cell's memory is shared by several processes.
    """
    said = run.cell.config["memory_limit"]
    if said is None or not run.cell.is_trained:
        return
    limit = usable(bytes_of(said, "memory_limit"), run.device.type)
    if run.team.size > 1:
        raise UserError("memory_limit: how several processes share a cell's memory is not foretold; leave it out")
    peak = predict(run.cell, run.device.type).peak
    if peak > limit:
        raise UnsupportedError(
            f"memory_limit={said} leaves tensors {limit / 1e9:.3g} GB, and the train peak would be {peak / 1e9:.3g}; "
            "`bench plan device_memory=…` says what would help"
        )
