"""The parameters of trials: points of a quasi-random sequence, or proposals of a sampler that learns.

Optuna's samplers, asked in a study that lies in memory alone, so that what they give depends on nothing else than what
is handed in here. Point i of the quasi-random sequence is a function of the space and of i; all methods are tried at
the same places of their spaces, so that none of them has the luckier points.
"""

import warnings
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bench.tuning.space import Dimension, Space

if TYPE_CHECKING:  # importing it takes a second
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

Parameters = Mapping[str, Any]

SEED = 0  # of the scrambling, for all studies
DIGITS = 4  # of a number that is tried: it is written on command lines and in files
STARTUP = 8  # points of the quasi-random sequence before TPE proposes any


class Sampler(StrEnum):
    """Where trials' parameters come from."""

    qmc = "qmc"  # a scrambled Sobol sequence: covers the space evenly, learns nothing, needs no order
    tpe = "tpe"  # tree-structured Parzen estimators, Bergstra et al. 2011: begins with `STARTUP` points of it


@lru_cache(maxsize=256)
def points(space: Space, count: int) -> tuple[Parameters, ...]:
    """The first `count` points of the quasi-random sequence, which do not depend on `count`."""
    from optuna.samplers import QMCSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the sampler is experimental
        study = _in_memory(QMCSampler(qmc_type="sobol", scramble=True, seed=SEED))
        study.add_trial(_any_trial(space))  # tells the sampler the space: else the first point would be a random one
        return tuple(_asked(study, space) for _ in range(count))


def proposal(space: Space, number: int, trials: Sequence["FrozenTrial"]) -> Parameters:
    """What TPE tries next.

    Args:
        space: of the study.
        number: of the trial; decides the sampler's dice.
        trials: those before, finished or running; what runs is avoided too.
    """
    from optuna.samplers import TPESampler

    if number < STARTUP:
        return points(space, STARTUP)[number]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that considering what runs is experimental
        study = _in_memory(TPESampler(seed=number, constant_liar=True, n_startup_trials=1))
    study.add_trials(trials)
    return _asked(study, space)


def distributions(space: Space) -> dict[str, "BaseDistribution"]:
    """The space in Optuna's words."""
    return {one.key: _distribution(one) for one in space.dimensions}


def _distribution(one: Dimension) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if one.values:
        return CategoricalDistribution(one.values)
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _in_memory(sampler: "BaseSampler") -> "Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _any_trial(space: Space) -> "FrozenTrial":
    from optuna.trial import create_trial

    lowest = {one.key: one.values[0] if one.values else one.low for one in space.dimensions}
    return create_trial(params=lowest, distributions=distributions(space), value=0.0)


def _asked(study: "Study", space: Space) -> Parameters:
    asked = study.ask(distributions(space)).params
    return {one.key: _rounded(asked[one.key], one) for one in space.dimensions}


def _rounded(value: Any, one: Dimension) -> Any:
    if one.values or one.whole:
        return value
    return min(one.high, max(one.low, float(f"{value:.{DIGITS}g}")))
