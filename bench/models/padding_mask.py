"""What the host knows of a batch's padding, told to the functions that make attention masks of it.

transformers leaves a mask out where nothing is padded, and asks the mask itself whether that is so: on a GPU the host
then waits, once or twice in every forward pass, until the device has come so far. Batches are padded on the host, so
the answer is known before the batch moves. The masks that come out are the same to the last value. Of a padded batch,
flash and flex attention ask the device all the same: the one leaves the padding out, the other the blocks it fills.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor
from transformers import AttentionMaskInterface
from transformers.masking_utils import eager_mask, flash_attention_mask, flex_attention_mask, sdpa_mask

MakeMask = Callable[..., Any]  # a mask, or None where everything is attended to

_padded: ContextVar[bool | None] = ContextVar("padded", default=None)  # None: nobody has said


@contextmanager
def padding_of(batch: Mapping[str, Tensor]) -> Iterator[None]:
    """Within the block, forward passes are of this batch.

    Args:
        batch: on the host; `attention_mask` `(batch, length)`, 1 where there is text; without one, nothing is told.
    """
    mask = batch.get("attention_mask")
    token = _padded.set(None if mask is None or mask.device.type != "cpu" else not bool(mask.all()))
    try:
        yield
    finally:
        _padded.reset(token)


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


AttentionMaskInterface.register("sdpa", told(sdpa_mask))
AttentionMaskInterface.register("eager", told(eager_mask))
AttentionMaskInterface.register("flash_attention_2", told(flash_attention_mask))
AttentionMaskInterface.register("flex_attention", told(flex_attention_mask))
