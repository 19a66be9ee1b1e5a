"""`training.padding_free`: whether a micro-batch is one row of texts, without padding, and why.

`auto` takes it exactly where attention is flash_attention_2, whose kernels compute each text by itself, and model,
method and the rest of the cell allow it. sdpa and eager attention can be told to (`true`): the loss is the same, but
the scores of all pairs of tokens of the whole row are computed, and those of two texts masked.
"""

from dataclasses import asdict, dataclass
from typing import Any

from transformers import PretrainedConfig

from bench.configuration.schema import AttentionKind, TrainingConfig
from bench.errors import UnsupportedError, UserError
from bench.methods.base import Method, Setting
from bench.models.attention import lack_of_flash_attention
from bench.models.padding_free import check_kept_apart

AUTO = AttentionKind.flash_attention_2  # with which `auto` takes it


@dataclass(frozen=True)
class PaddingFree:
    """What a cell does, and in a line why."""

    used: bool
    why: str

    def to_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)


PADDED = PaddingFree(used=False, why="training.padding_free=false")


def left_to_settle(training: TrainingConfig, attention: AttentionKind) -> tuple[bool | str, bool]:
    """What of the settings the answer depends on: equal for cells that are surely padded, whatever their model is.

    Args:
        training: as asked for.
        attention: as asked for.
    """
    wanted = training.padding_free
    possible = attention == AUTO or (attention == AttentionKind.auto and lack_of_flash_attention() is None)
    if wanted is not True and (wanted is False or training.compile or not possible):
        return False, False
    return wanted, training.compile


def settle_padding_free(
    training: TrainingConfig,
    attention: AttentionKind,
    architecture: PretrainedConfig,
    method: Method,
    setting: Setting,
) -> PaddingFree:
    """Whether the cell's micro-batches are padding-free.

    Args:
        training: as asked for.
        attention: that the cell computes with, not `auto`.
        architecture: the model's transformers configuration; its `problem_type` says whether there is a task head.
        method: the cell's.
        setting: of the cell.

    Raises:
        UserError: padding-free batches are asked for, and something else in the cell is not offered with them.
        UnsupportedError: they are asked for, and the model or the method needs a row for each text.
    """
    wanted = training.padding_free
    if wanted is False:
        return PADDED
    try:
        check_kept_apart(setting.family, architecture)
        if method.row_limit:
            raise UnsupportedError(method.row_limit)
        if training.compile:
            raise UserError("it is not offered with training.compile=true")
        if attention == AttentionKind.flex:
            raise UserError("it is not offered with model.attention=flex")
    except UserError as error:
        if wanted is True:
            raise type(error)(f"training.padding_free=true: {error}; say training.padding_free=auto") from error
        return PaddingFree(used=False, why=f"training.padding_free=auto: {error}")
    if wanted is True:
        return PaddingFree(used=True, why="training.padding_free=true")
    taken = f"training.padding_free=auto: {attention}"
    if attention == AUTO:
        return PaddingFree(used=True, why=f"{taken} computes each text of a row by itself")
    return PaddingFree(used=False, why=f"{taken} computes all pairs of tokens of a row")
