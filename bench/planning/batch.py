"""The largest micro-batch that a cell's settings allow, in the form in which its training would have it."""

from collections.abc import Sequence

from bench.configuration.schema import AttentionKind
from bench.data.example import Example, Flattening, Padding
from bench.methods.base import Batch


def largest_batch(
    examples: Sequence[Example], padding: Padding, attention: AttentionKind, *, padding_free: bool
) -> Batch:
    """A batch of examples of full length.

    Fake tensors have no flash attention of several texts in a row. In its place each text has a row of its own with its
    positions, and there is no mask: as many tokens, and torch's fused attention within each text.

    Args:
        examples: all of one length.
        padding: makes padded batches.
        attention: what the cell would compute with.
        padding_free: whether its batches would be.
    """
    if not padding_free:
        return padding(examples)
    flat = Flattening()(examples)
    if attention != AttentionKind.flash_attention_2:
        return flat
    rows = {name: flat[name].view(len(examples), -1) for name in ("input_ids", "position_ids", "labels")}
    return rows | {"use_cache": flat["use_cache"]}
