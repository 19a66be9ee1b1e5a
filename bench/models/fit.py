"""Whether an entry that was given or found fits a model: the kinds and sizes of its modules, how many layers it has."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from bench.errors import UserError
from bench.models.depth import depth_key
from bench.models.fused_rows import inputs_of, width_of
from bench.models.structure import Attention, Block, FeedForward
from bench.models.tracing import LINEARS, is_norm


def missing(model: nn.Module, path: str) -> str:
    """What to say of a module that a model has not: with the nearest that it has."""
    near = difflib.get_close_matches(path, [name for name, _ in model.named_modules()], n=1, cutoff=0.5)
    return f"{type(model).__name__} has no {path}" + (f"; did you mean {near[0]}?" if near else "")


def check_fit(model: Any, blocks: Sequence[Block], key: str, *, transposed: bool) -> None:
    """Refuse an entry that says of modules what they are not.

    Args:
        model: of transformers' classes, bare, on any device.
        blocks: as they were read by the entry.
        key: where the entry stands, for the message.
        transposed: whether linear layers keep their weights as `(inputs, outputs)`.

    Raises:
        UserError: the first thing that does not fit, in one line.
    """
    for block in blocks:
        for problem in _problems(model, block, transposed):
            raise UserError(f"{key}: {problem}")
    for stack in dict.fromkeys(one.stack for block in blocks for one in block.attentions):
        found = sum(any(one.stack == stack for one in block.attentions) for block in blocks)
        counted = _layer_count(model, stack)
        if counted is not None and found != counted[1]:
            raise UserError(
                f"{key}: {found} layers are in the {stack}, the configuration has {counted[0]}={counted[1]}"
            )


def _problems(model: nn.Module, block: Block, transposed: bool) -> Iterator[str]:
    paths = _linears(block)
    for path in paths:
        module = model.get_submodule(path)
        if not isinstance(module, LINEARS):
            yield f"{path} is no linear layer, it is a {type(module).__name__}"
        if isinstance(module, nn.Linear) == transposed:
            yield f"{path} is a {type(module).__name__}; say transposed: {str(not transposed).lower()}"
    if twice := [path for path in paths if paths.count(path) > 1]:
        yield f"{twice[0]} cannot be two things at once"
    for attention in block.attentions:
        yield from _attention_problems(model, attention)
        if isinstance(model.get_submodule(attention.core), LINEARS):
            yield f"{attention.core} is a linear layer, and attends to nothing"
    if block.feed_forward is not None:
        yield from _feed_forward_problems(model, block, block.feed_forward)


def _linears(block: Block) -> list[str]:
    """Paths of the modules that ought to be linear layers."""
    paths: list[str | None] = []
    for one in block.attentions:
        paths += [one.fused] if one.fused is not None else [one.query, one.key, one.value]
        paths.append(one.output)
    if block.feed_forward is not None:
        paths += [*block.feed_forward.inputs, block.feed_forward.output]
    return [path for path in paths if path is not None]


def _attention_problems(model: Any, attention: Attention) -> Iterator[str]:
    """Heads and their widths: keys and values may be of fewer heads than queries, and those shared by equal numbers."""
    into = _sizes(model, attention.output)[0]
    heads = _head_count(model)
    width = max(into // heads, 1)
    if attention.fused is not None:
        both = _sizes(model, attention.fused)[1] - into
        if both <= 0 or both % 2 or both > 2 * into or (both // 2) % width:
            yield (
                f"{attention.fused} gives {both + into} values: no queries of {into} ({attention.output} takes so "
                f"many), keys and values of one size in heads of {width}"
            )
        return
    assert attention.query is not None
    assert attention.key is not None
    assert attention.value is not None
    queries = _sizes(model, attention.query)[1]
    for path, whole, of in ((attention.key, queries, attention.query), (attention.value, into, attention.output)):
        size = _sizes(model, path)[1]
        if whole % size:
            yield f"{path} gives {size} values, of which the {whole} of {of} are no multiple"


def _feed_forward_problems(model: nn.Module, block: Block, feed_forward: FeedForward) -> Iterator[str]:
    into, out = _sizes(model, feed_forward.output)
    for path in feed_forward.inputs:
        entering, inner = _sizes(model, path)
        fits = inner == into or (len(feed_forward.inputs) == 1 and inner == 2 * into)
        if not fits:
            yield f"{path} gives {inner} values, {feed_forward.output} takes {into}"
        if entering != out:
            yield f"{path} takes {entering} values, {feed_forward.output} gives {out}"
    for attention in block.attentions:
        given = _sizes(model, attention.output)[1]
        if given != out:
            yield f"{attention.output} gives {given} values to the residual stream, {feed_forward.output} gives {out}"
    if feed_forward.norm is not None:
        module = model.get_submodule(feed_forward.norm)
        if not is_norm(feed_forward.norm, module):
            yield f"{feed_forward.norm} is no norm, it is a {type(module).__name__}"


def _sizes(model: nn.Module, path: str) -> tuple[int, int]:
    """How many values a linear layer takes and gives."""
    return inputs_of(model, path), width_of(model, path)


def _head_count(model: Any) -> int:
    config = model.config.get_text_config()
    return int(getattr(config, "num_attention_heads", None) or 1)


def _layer_count(model: Any, stack: str) -> tuple[str, int] | None:
    """How many layers the configuration asks for, and by which key; None where layers are shared or no key says so."""
    config = model.config.get_text_config()
    if getattr(config, "num_hidden_groups", None) is not None:  # ALBERT's
        return None
    found = depth_key(model.config, stack)
    return None if found is None else (found, getattr(config, found))
