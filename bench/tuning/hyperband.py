"""Hyperband: most trials are trained for a part of the training, and the best of them again for longer.

Li et al. 2018, https://www.jmlr.org/papers/v18/16-558.html, algorithm 1: brackets of trials begin with different shares
of the training, as nobody knows how short a training tells rates apart; in each the best go on (Jamieson and Talwalkar
2016, https://arxiv.org/abs/1502.07943). A stint is one trial with one share of the training: ordinary cells that
begin anew, with the schedule of their own length. Who goes on is decided when all stints of a rung have ended, from
their scores alone: in whatever order they end, the same do. Optuna's pruner has brackets of the same sizes, but deals
trials out by chance and lets them go on by what has ended until then, so that the order would decide.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# A trial, and how often the training is divided by the reduction: 0 is all of it.
Stint = tuple[int, int]


@dataclass(frozen=True)
class Hyperband:
    """How trials are dealt out over shares of the training.

    Attributes:
        reduction: one of so many trials goes on, with so many times the training; η of the paper.
        rungs: how many shares there are, 1, 1/η, 1/η², …, and brackets; s_max + 1 of the paper. 1: none is cut short.
    """

    reduction: int = 3
    rungs: int = 1

    @property
    def brackets(self) -> tuple[int, ...]:
        """How many trials each begins with, the one of the shortest trainings first: ⌈(s_max + 1) / (s + 1) · η^s⌉."""
        return tuple(-(-self.rungs * self.reduction**cuts // (cuts + 1)) for cuts in reversed(range(self.rungs)))

    @property
    def round(self) -> int:
        """Trials of one round: all brackets once."""
        return sum(self.brackets)

    @property
    def is_none(self) -> bool:
        """Whether every trial is trained in full."""
        return self.rungs == 1

    def members(self, trials: int) -> Iterator[tuple[int, list[int]]]:
        """Of each bracket, filled in the order of trials: how often its first stints are divided, and its trials."""
        begin = 0
        while begin < trials:
            for at, size in enumerate(self.brackets):
                yield self.rungs - 1 - at, list(range(begin, min(begin + size, trials)))
                begin += size

    def due(self, trials: int, scores: Mapping[Stint, float | None], depth: int | None = None) -> list[Stint]:
        """The stints that there have to be, by what is known of those that have ended.

        Args:
            trials: how many there are.
            scores: of stints that have ended, larger is better; None: it has no score, and the trial goes on no more.
            depth: how many rungs of each bracket are looked at; None: all.
        """
        found: list[Stint] = []
        for cuts, begun in self.members(trials):
            members = begun
            for rung in range(cuts + 1 if depth is None else min(depth, cuts + 1)):
                stints = [(number, cuts - rung) for number in members]
                found += stints
                if not all(stint in scores for stint in stints):
                    break
                members = [number for number, _ in best(stints, scores)[: len(begun) // self.reduction ** (rung + 1)]]
        return found

    def counts(self, trials: int) -> dict[int, int]:
        """How many stints there will be of each share of the training, the shortest first, where none fails."""
        found = dict.fromkeys(reversed(range(self.rungs)), 0)
        for cuts, members in self.members(trials):
            for rung in range(cuts + 1):
                found[cuts - rung] += len(members) // self.reduction**rung
        return found

    def trainings(self, trials: int) -> float:
        """What all stints together are as long as, in trainings of full length."""
        return sum(count / float(self.reduction**cuts) for cuts, count in self.counts(trials).items())

    def share(self, cuts: int) -> str:
        """In words: `1/9`."""
        return f"1/{self.reduction**cuts}" if cuts else "all"

    def __str__(self) -> str:
        """As a fingerprint and a message have it."""
        return "none" if self.is_none else f"hyperband (reduction={self.reduction} rungs={self.rungs})"


NONE = Hyperband()


def best(stints: Sequence[Stint], scores: Mapping[Stint, float | None]) -> list[Stint]:
    """The stints that have a score, the best first, of equal ones the earlier trial."""
    known = [(score, stint) for stint in stints if (score := scores.get(stint)) is not None]
    return [stint for _, stint in sorted(known, key=lambda one: (-one[0], one[1]))]
