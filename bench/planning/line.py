"""How the memory of a training step grows with the model's depth: a line through models of a few blocks.

See `bench.planning.depths` for what it is good for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.planning.places import Place

Sizes = dict[str, int]

FIRST, SECOND, BEFORE_LAST, LAST = "first", "second", "before the last", "last"
BESIDE = {SECOND: FIRST, BEFORE_LAST: LAST}
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


class NotAlikeError(Exception):
    """The shallow models do not tell what the deep one is."""


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


class Line:
    """What follows from a base and from models that are deeper by one block in one way each."""

    def __init__(self, base: Traced, further: list[Traced], times: list[int]) -> None:
        """Draw it.

        Args:
            base: the shallowest.
            further: one for each way.
            times: by how many blocks the whole model is deeper than the base, for each way.

        Raises:
            NotAlikeError: they do not have the same places.
        """
        self.base, self.further, self._times = base, further, times
        self._places, self._further = _named(base), [_named(one) for one in further]
        if any(self._places.keys() ^ names.keys() for names in map(self._but_new, self._further)):
            raise NotAlikeError

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
            NotAlikeError: it does not lie on the line, and the peak may be something else by this.
        """
        furthest = max(self._times)
        for name, place in _named(check).items():
            if name.where is not None and len(check.blocks[0]) == 1:
                continue
            if name not in self._places:
                raise NotAlikeError
            expected = [moment.total for moment in self._at(name, [-1] * len(self._times))]
            deep = [moment.total for moment in self._at(name, self._times)]
            sizes = check.places[place]
            for i, j, k in _matched(sizes, expected, deep):
                bend = abs(sizes[i] - expected[j])
                wrong = bend * furthest * (furthest - 1) // 2  # if it goes on bending like this
                if wrong > TOLERANCE * peak and deep[k] + wrong > peak:
                    raise NotAlikeError

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


def held_of(one: Traced) -> Sizes:
    """Bytes that the model holds, by part."""
    return one.held


def flops_of(one: Traced) -> Sizes:
    """Its operations, as sizes that lie on a line too."""
    return {"flops": one.flops}


def _size(moment: _Sum) -> int:
    return moment.total


def _sum(*terms: tuple[int, Sizes]) -> Sizes:
    return {part: sum(times * sizes[part] for times, sizes in terms) for part in terms[0][1]}
