"""What the training cost of what the model knew: the perplexity of a text before and after.

Before is the bare model as the cell configures it, unquantised where a method quantises. It is loaded when all else is
done: peaks and seconds of the cell's other phases are those of a cell without a text.
"""

from collections.abc import Callable

from accelerate.utils import set_seed
from torch import nn

from bench.evaluation.perplexity import perplexity
from bench.records.schema import Forgetting
from bench.running.memory_limits import give_back, is_out_of_memory, release_memory
from bench.running.preparation import Prepared, load_bare
from bench.running.run import Run


def perplexity_after(run: Run, model: nn.Module, prepared: Prepared) -> float | None:
    """The trained model's; None without a text, or where memory does not suffice."""
    return _measured(run, prepared, lambda: model, "trained")


def forgetting(run: Run, model: nn.Module, prepared: Prepared, after: float | None) -> Forgetting | None:
    """The record's part; None without a text.

    Args:
        run: the attempt.
        model: the trained one, whose weights are given back.
        prepared: with the text.
        after: its perplexity.
    """
    text = prepared.text
    if text is None:
        return None
    give_back(model)

    def bare() -> nn.Module:
        set_seed(run.cell.seed)  # random weights are those that the training began with
        return load_bare(prepared, run.device)

    before = _measured(run, prepared, bare, "bare")
    difference = None if before is None or after is None else after - before
    return Forgetting(before, after, difference, text.tokens, text.window, text.digest, text.overlap, text.pieces)


def _measured(run: Run, prepared: Prepared, make: Callable[[], nn.Module], form: str) -> float | None:
    text, inference = prepared.text, prepared.inference
    if text is None or inference is None:
        return None
    with run.meter.phase("forgetting"):
        try:
            with prepared.arithmetic.autocast():
                found = perplexity(make(), text.windows, inference)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            run.warn(f"memory did not suffice to measure the perplexity of the {form} model")
            found = None
    release_memory()  # not before the error is gone, which holds what it met
    return found
