"""A deep model's training step from those of shallow ones: blocks that are alike are followed once, not each.

A model is built with one, two and three blocks a stack. What lives at each moment of the step (at an operation of the
forward pass in the first block, of the backward pass in the head …) grows by the same with each block, so two depths
tell what it is at any; the largest of all moments is the peak, wherever it lies. Where the operations themselves are
more with more blocks (the optimizer's step), their largest moment is taken for them. Nothing of this is taken for
granted: the blocks of the whole model must be alike, a third depth must lie on the same line, and the weights that
follow must be those that the whole model has.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from torch import nn
from transformers import PretrainedConfig

from bench.errors import UserError
from bench.models.depth import depth_key
from bench.models.structure import Structure
from bench.planning.line import Line, NotAlikeError, Sizes, Traced, flops_of, held_of

Depths = tuple[int, ...]  # blocks of each stack

NUMBERS = {"layer_idx", "layer_id"}  # a block's own number, which makes it no other
# The shallowest model that the line is drawn from; the second where the first shows no line. One less is the check.
STARTS = 2, 3


@dataclass(frozen=True)
class Whole:
    """What is known of the whole model without a trace: as in `Traced`."""

    held: Sizes
    blocks: tuple[tuple[Any, ...], ...]

    @property
    def depths(self) -> Depths:
        """Of its stacks."""
        return tuple(map(len, self.blocks))


def largest_moment(whole: Whole, trace: Callable[[Depths], Traced]) -> tuple[Sizes, int] | None:
    """What lives at the peak of a step of the whole model, by part, and the step's operations.

    Args:
        whole: the model, adapted.
        trace: follows a step of the same with so many blocks in each stack.

    Returns:
        None where it cannot be told from fewer blocks, or where this would not be less work.
    """
    if not whole.blocks or not all(map(_are_alike, whole.blocks)):
        return None
    known: dict[Depths, Traced] = {}

    def traced(depths: Depths) -> Traced:
        if depths not in known:
            known[depths] = trace(depths)
        return known[depths]

    for start in STARTS:
        if min(whole.depths) <= start + 1 or _work(whole.depths, start) >= sum(whole.depths):
            return None
        try:
            return _line(whole, traced, start)
        except NotAlikeError:
            continue
        except (UserError, RuntimeError, TypeError, AssertionError, NotImplementedError):
            return None  # the whole model's trace says it in its own words
    return None


def stacks_of(structure: Structure) -> list[tuple[str, list[str]]]:
    """Name and paths of the blocks of each stack."""
    named = [(block.attentions[0].stack, block.path) for block in structure.known if block.attentions]
    return [(name, [path for _, path in group]) for name, group in groupby(named, lambda item: item[0])]


def with_depths(architecture: PretrainedConfig, stacks: Sequence[str], depths: Depths) -> PretrainedConfig:
    """The architecture with so many blocks in each stack; lists with an entry for each keep the first and the last.

    Raises:
        UserError: it does not say how many it has.
    """
    changed = copy.deepcopy(architecture)
    own: Any = changed.get_text_config()
    keys = [depth_key(changed, stack) for stack in stacks]
    for key, depth in zip(keys, depths, strict=True):
        if key is None or keys.count(key) > 1:
            raise UserError(f"nothing is known of the depth of {type(architecture).__name__}")
        before = getattr(own, key)
        lists = [name for name, value in vars(own).items() if isinstance(value, list) and len(value) == before]
        setattr(own, key, depth)
        for name in lists:
            value = getattr(own, name)
            setattr(own, name, [*value[: depth - 1], value[-1]])
    return changed


def described(stacks: Iterable[Sequence[nn.Module]]) -> tuple[tuple[Any, ...], ...]:
    """What each block is made of, equal for those that compute alike: classes, settings, shapes, hooks, what trains.

    What several blocks share is left out: it is the same for all, and may be larger the more there are.
    """
    blocks = [list(stack) for stack in stacks]
    owners = Counter(id(module) for stack in blocks for block in stack for module in block.modules())
    return tuple(tuple(tuple(map(repr, _parts(block, owners))) for block in stack) for stack in blocks)


def _parts(block: nn.Module, owners: Mapping[int, int]) -> Iterator[Any]:
    for name, module in block.named_modules():
        if owners[id(module)] > 1:
            continue
        own = vars(module)
        settings = {
            key: value for key, value in own.items()
            if key not in NUMBERS and isinstance(value, bool | int | float | str | None)
        }  # fmt: skip
        hooks = len(module._forward_hooks), len(module._forward_pre_hooks)
        tensors = [
            (key, tensor.shape, tensor.dtype, tensor.requires_grad)
            for held in (module._parameters, module._buffers) for key, tensor in held.items() if tensor is not None
        ]  # fmt: skip
        yield name, type(module), sorted(settings.items()), "forward" in own, hooks, tensors


def _are_alike(blocks: Sequence[Any]) -> bool:
    """Whether all are, between the first and the last."""
    return len(set(blocks[1:-1])) <= 1


def _have_same_shapes(one: Traced, other: Traced) -> bool:
    return all(one.shapes[name] == other.shapes[name] for name in one.shapes.keys() & other.shapes.keys())


def _ways(depths: Depths) -> list[Depths]:
    """How to go deeper: in all stacks at once where they are equally deep, else in one after the other."""
    count = len(depths)
    if len(set(depths)) == 1:
        return [(1,) * count]
    return [tuple(int(i == j) for j in range(count)) for i in range(count)]


def _work(depths: Depths, start: int) -> int:
    """How many blocks there are to follow for a line from `start` on, the check included."""
    ways = _ways(depths)
    return len(depths) * (start + len(ways) * start + start - 1) + sum(map(sum, ways))


def _line(whole: Whole, traced: Callable[[Depths], Traced], start: int) -> tuple[Sizes, int]:
    base, ways = (start,) * len(whole.depths), _ways(whole.depths)
    check = traced((start - 1,) * len(base))  # the least work first: what is learnt from it holds for the others
    line = Line(
        traced(base),
        [traced(tuple(map(sum, zip(base, way, strict=True)))) for way in ways],
        [whole.depths[way.index(1)] - start for way in ways],
    )
    # With two blocks there is none in between. It is told from its neighbours then, if nothing in it is as wide as the
    # model is deep: the networks of prefixes are.
    if start == STARTS[0] and not all(_have_same_shapes(line.base, one) for one in line.further):
        raise NotAlikeError
    for one in (line.base, *line.further):
        for own, blocks in zip(one.blocks, whole.blocks, strict=True):
            if own != (blocks[0], *[blocks[1]] * (len(own) - 2), blocks[-1]):
                raise NotAlikeError
    if line.shallower(flops_of) != flops_of(check) or line.whole(held_of) != whole.held:
        raise NotAlikeError
    peak = line.largest()
    line.check(check, peak.total)
    return peak.parts(), line.whole(flops_of)["flops"]
