"""What the host knows of a batch's padding, told to the functions that make attention masks of it.

transformers leaves a mask out where nothing is padded, and asks the mask itself whether that is so; where there is no
mask it asks the positions whether a row holds several texts. On a GPU the host then waits, once or twice in every
forward pass, until the device has come so far. Batches are made on the host, so the answer is known before the batch
moves. The masks that come out are the same to the last value. Of a padded batch, flash and flex attention ask the
device all the same: the one leaves the padding out, the other the blocks it fills.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionMaskInterface, masking_utils
from transformers.masking_utils import (
    eager_mask,
    find_packed_sequence_indices,
    flash_attention_mask,
    flex_attention_mask,
    sdpa_mask,
)

MakeMask = Callable[..., Any]  # a mask, or None where everything is attended to

_padded: ContextVar[bool | None] = ContextVar("padded", default=None)  # None: nobody has said
_texts: ContextVar[int | None] = ContextVar("texts", default=None)  # in the one row of a padding-free batch


@contextmanager
def padding_of(batch: Mapping[str, Any]) -> Iterator[None]:
    """Within the block, forward passes are of this batch.

    Args:
        batch: on the host; `attention_mask` `(batch, length)`, 1 where there is text; or of a padding-free batch
            `cu_seq_lens_q` `(texts + 1,)`, where its texts begin and end; with neither, nothing is told.
    """
    mask, begins = batch.get("attention_mask"), batch.get("cu_seq_lens_q")
    padded = _padded.set(None if mask is None or mask.device.type != "cpu" else not bool(mask.all()))
    texts = _texts.set(None if begins is None else len(begins) - 1)
    try:
        yield
    finally:
        _padded.reset(padded)
        _texts.reset(texts)


def told(make_mask: MakeMask) -> MakeMask:
    """Make `make_mask`, one of transformers.masking_utils', go by what is known instead of asking the device."""

    def make(*arguments: Any, attention_mask: Tensor | None = None, **options: Any) -> Any:
        padded = _padded.get()
        if attention_mask is not None and padded is not None:
            if padded:
                options |= {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
            else:
                attention_mask = None
        return make_mask(*arguments, attention_mask=attention_mask, **options)

    return make


def text_numbers(position_ids: Tensor) -> Tensor | None:
    """In place of transformers' `find_packed_sequence_indices`: to which text of its row each token belongs.

    Args:
        position_ids: `(1 or batch, length)`; they begin anew with each text.

    Returns:
        Numbers of texts from 0, of the same shape; None where a row is one text.
    """
    texts = _texts.get()
    if texts is None:
        found: Tensor | None = find_packed_sequence_indices(position_ids)
        return found
    if texts == 1:
        return None
    steps = torch.diff(position_ids, prepend=position_ids[:, :1] - 1, dim=-1)
    return (steps != 1).cumsum(-1)


AttentionMaskInterface.register("sdpa", told(sdpa_mask))
AttentionMaskInterface.register("eager", told(eager_mask))
AttentionMaskInterface.register("flash_attention_2", told(flash_attention_mask))
AttentionMaskInterface.register("flex_attention", told(flex_attention_mask))
masking_utils.find_packed_sequence_indices = text_numbers  # which has no registry
