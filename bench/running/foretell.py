"""The prediction that a record shows beside what was measured."""

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
