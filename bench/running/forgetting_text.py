"""The text on which forgetting is measured: which cells can read one, and what is said of it beforehand."""

from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from bench.configuration.cell import Cell
from bench.configuration.schema import Family
from bench.data.example import Example
from bench.data.held_text import HeldText, read_held_text
from bench.errors import UserError
from bench.tasks.base import Task


def check_forgetting(cell: Cell, task: Task) -> None:
    """Refuse cells whose forgetting is not measured.

    Raises:
        UserError: no decoder, a task head in place of the language-model head, no tokenizer, or several processes.
    """
    if cell.config["forgetting_text"] is None:
        return
    if cell.base.family != Family.decoder:
        raise UserError(
            f"forgetting_text: a perplexity needs a decoder, and {cell.model} is of the family '{cell.base.family}'; "
            "leave it out"
        )
    if task.head() is not None:
        raise UserError(
            f"forgetting_text: a perplexity needs the language-model head, and the task '{cell.task}' puts its own in "
            "place of it; leave it out, or let the model write"
        )
    if cell.data.synthetic:
        raise UserError("forgetting_text: data.synthetic=true reads no tokenizer, which a text needs; leave one out")
    if cell.config["processes"] > 1:
        raise UserError("forgetting_text: it is measured by one process; say processes=1, or leave it out")


def forgetting_text(
    cell: Cell, tokenizer: PreTrainedTokenizerBase, window: int, train: Sequence[Example]
) -> HeldText | None:
    """The cell's text in windows of `window` tokens, those that its method was found to go with; None for none.

    Raises:
        UserError: see `read_held_text`.
    """
    name = cell.config["forgetting_text"]
    if name is None:
        return None
    return read_held_text(Path(name), cell.config["forgetting_column"], tokenizer, window, train)


def overlap_warnings(text: HeldText | None) -> list[str]:
    """What a reader must know of a text that the training has in part."""
    if text is None or not text.overlap:
        return []
    return [
        f"{text.overlap} of the {text.pieces} pieces of forgetting_text share a run of words with a training row; "
        "their perplexity says little of forgetting"
    ]
