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
from typing import Any, NamedTuple

from torch import nn
from transformers import PretrainedConfig

from bench.errors import UserError
from bench.models.structure import Structure
from bench.planning.places import Place

Depths = tuple[int, ...]  # blocks of each stack
Sizes = dict[str, int]

# Where a configuration has the depth of a stack; other names of the same are transformers' own business.
KEYS = {
    ("encoder",): (("num_hidden_layers",),),
    ("decoder",): (("num_hidden_layers",),),
    ("encoder", "decoder"): (("encoder_layers", "num_layers"), ("decoder_layers", "num_decoder_layers")),
}
NUMBERS = {"layer_idx", "layer_id"}  # a block's own number, which makes it no other
FIRST, SECOND, BEFORE_LAST, LAST = "first", "second", "before the last", "last"
BESIDE = {SECOND: FIRST, BEFORE_LAST: LAST}
# The shallowest model that the line is drawn from; the second where the first shows no line. One less is the check.
STARTS = 2, 3
TOLERANCE = 0.001  # of the peak


@dataclass(frozen=True)
class Traced:
    """A step of training that was followed.

    Attributes:
        held: bytes that the model holds before it, by part.
        shapes: of its parameters, by their names.
        places: bytes that live at each moment of each place.
        parts: of these those of a moment, by part; takes the place and the moment's number there.
        flops: of an optimizer step.
        blocks: what each block is, stack by stack; see `described`.
    """

    held: Sizes
    shapes: dict[str, tuple[int, ...]]
    places: dict[Place, list[int]]
    parts: Callable[[Place, int], Sizes]
    flops: int
    blocks: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Whole:
    """What is known of the whole model without a trace: as in `Traced`."""

    held: Sizes
    blocks: tuple[tuple[Any, ...], ...]

    @property
    def depths(self) -> Depths:
        """Of its stacks."""
        return tuple(map(len, self.blocks))


class _NotAlikeError(Exception):
    """The shallow models do not tell what the deep one is."""


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
        except _NotAlikeError:
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
    for keys, depth in zip(KEYS.get(tuple(stacks), ()), depths, strict=True):
        key = next((key for key in keys if isinstance(getattr(own, key, None), int)), None)
        if key is None:
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
    line = _Line(
        traced(base),
        [traced(tuple(map(sum, zip(base, way, strict=True)))) for way in ways],
        [whole.depths[way.index(1)] - start for way in ways],
    )
    # With two blocks there is none in between. It is told from its neighbours then, if nothing in it is as wide as the
    # model is deep: the networks of prefixes are.
    if start == STARTS[0] and not all(_have_same_shapes(line.base, one) for one in line.further):
        raise _NotAlikeError
    check = traced((start - 1,) * len(base))
    for one in (line.base, *line.further):
        for own, blocks in zip(one.blocks, whole.blocks, strict=True):
            if own != (blocks[0], *[blocks[1]] * (len(own) - 2), blocks[-1]):
                raise _NotAlikeError
    if line.shallower(_flops) != _flops(check) or line.whole(_held) != whole.held:
        raise _NotAlikeError
    peak = line.largest()
    line.check(check, peak.total)
    return peak.parts(), line.whole(_flops)["flops"]


@dataclass(frozen=True)
class _Term:
    """A moment of a model that was followed, counted several times, or taken away."""

    times: int
    traced: Traced
    place: Place
    number: int

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self.times * self.traced.places[self.place][self.number]


class _Sum(tuple[_Term, ...]):
    """A moment of the whole model, as a sum of moments of others."""

    @property
    def total(self) -> int:
        """Bytes that live then."""
        return sum(term.size for term in self)

    def parts(self) -> Sizes:
        """By part."""
        return _sum(*((term.times, term.traced.parts(term.place, term.number)) for term in self))


class _Line:
    """What follows from a base and from models that are deeper by one block in one way each."""

    def __init__(self, base: Traced, further: list[Traced], times: list[int]) -> None:
        """Draw it.

        Args:
            base: the shallowest.
            further: one for each way.
            times: by how many blocks the whole model is deeper than the base, for each way.

        Raises:
            _NotAlikeError: they do not have the same places.
        """
        self.base, self.further, self._times = base, further, times
        self._places, self._further = _named(base), [_named(one) for one in further]
        if any(self._places.keys() ^ names.keys() for names in map(self._but_new, self._further)):
            raise _NotAlikeError

    def largest(self) -> _Sum:
        """The largest moment of the whole model's step."""
        known = {name: self._at(name, self._times) for name in self._places}
        largest = [max(moments, key=_size) for moments in known.values()]
        for traced, names in zip(self.further, self._further, strict=True):
            for name, place in names.items():
                if name not in known and name.where is not None:
                    # What it has more than its neighbour is the same at any depth.
                    neighbour = name._replace(where=BESIDE[name.where])
                    own, other, whole = traced.places[place], traced.places[names[neighbour]], known[neighbour]
                    for i, j, k in _matched(own, other, [moment.total for moment in whole]):
                        more = _Term(1, traced, place, i), _Term(-1, traced, names[neighbour], j)
                        largest.append(_Sum((*whole[k], *more)))
        return max(largest, key=_size)

    def whole(self, sizes: Callable[[Traced], Sizes]) -> Sizes:
        """Sizes of the whole model."""
        return self._grown(sizes(self.base), map(sizes, self.further), self._times)

    def shallower(self, sizes: Callable[[Traced], Sizes]) -> Sizes:
        """Sizes of a model that is shallower than the base by one block a stack."""
        return self._grown(sizes(self.base), map(sizes, self.further), [-1] * len(self._times))

    def check(self, check: Traced, peak: int) -> None:
        """Compare with a model that is shallower than the base by one block a stack, where it has the same places.

        Raises:
            _NotAlikeError: it does not lie on the line, and the peak may be something else by this.
        """
        furthest = max(self._times)
        for name, place in _named(check).items():
            if name.where is not None and len(check.blocks[0]) == 1:
                continue
            if name not in self._places:
                raise _NotAlikeError
            expected = [moment.total for moment in self._at(name, [-1] * len(self._times))]
            deep = [moment.total for moment in self._at(name, self._times)]
            sizes = check.places[place]
            for i, j, k in _matched(sizes, expected, deep):
                bend = abs(sizes[i] - expected[j])
                wrong = bend * furthest * (furthest - 1) // 2  # if it goes on bending like this
                if wrong > TOLERANCE * peak and deep[k] + wrong > peak:
                    raise _NotAlikeError

    def _but_new(self, names: "dict[_Name, Place]") -> "dict[_Name, Place]":
        """Without blocks between the first and the last, where the base has none."""
        return {name: place for name, place in names.items() if name in self._places or name.where not in BESIDE}

    def _at(self, name: "_Name", times: Sequence[int]) -> list[_Sum]:
        """The moments of a place in a model that is deeper than the base by so much in each way."""
        places = [self._places[name], *(names[name] for names in self._further)]
        models, factors = [self.base, *self.further], [1 - sum(times), *times]
        return [
            _Sum(map(_Term, factors, models, places, numbers))
            for numbers in _matched(*(model.places[place] for model, place in zip(models, places, strict=True)))
        ]

    @staticmethod
    def _grown(base: Sizes, further: Iterable[Sizes], times: Sequence[int]) -> Sizes:
        terms = list(zip(times, further, strict=True))
        return _sum((1 - sum(times), base), *terms)


class _Name(NamedTuple):
    """A place at any depth: blocks are counted from the first and from the last."""

    passes: int
    part: str
    stack: int | None
    where: str | None


def _matched(*moments: Sequence[int]) -> Iterable[tuple[int, ...]]:
    """Numbers of moments that are each other's: of the same operations, or, where they are not, of the largest."""
    if len(set(map(len, moments))) == 1:
        return zip(*(range(len(sizes)) for sizes in moments), strict=True)
    return [tuple(max(range(len(sizes)), key=sizes.__getitem__) for sizes in moments)]


def _named(one: Traced) -> dict[_Name, Place]:
    return {name: place for place in one.places for name in _names(place, one)}


def _names(place: Place, one: Traced) -> Iterator[_Name]:
    stack = None if place.region is None else place.region.stack
    outside = _Name(place.passes, place.part, stack, None)
    if place.region is None or place.region.block is None:
        yield outside
        return
    last = len(one.blocks[place.region.stack]) - 1
    for where, number in ((FIRST, 0), (LAST, last), (SECOND, 1), (BEFORE_LAST, last - 1)):
        if place.region.block == number and (where not in BESIDE or 0 < number < last):
            yield outside._replace(where=where)


def _held(one: Traced) -> Sizes:
    return one.held


def _flops(one: Traced) -> Sizes:
    return {"flops": one.flops}


def _size(moment: _Sum) -> int:
    return moment.total


def _sum(*terms: tuple[int, Sizes]) -> Sizes:
    return {part: sum(times * sizes[part] for times, sizes in terms) for part in terms[0][1]}
