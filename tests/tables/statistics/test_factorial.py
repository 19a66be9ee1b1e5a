"""Effects of components: what statsmodels finds by least squares, on made-up scores with known effects."""

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from bench.configuration.ablation import Design, points
from bench.tables.statistics.differences import interval, over_one
from bench.tables.statistics.factorial import MOOT, OFF, ON, effects, terms_of

NAMES = ["a", "b", "c", "d"]
TRUE = {("a",): 3.0, ("b",): -1.0, ("c",): 0.5, ("d",): 0.0, ("a", "b"): 2.0}
SEEDS = 4


def states_of(names, design):
    return np.array([[OFF if name in off else ON for name in names] for off in points(names, design)], dtype=float)


def made_up(names, states, true, noise=0.1, seed=0):
    """Scores `(points, seeds)`: 80, an offset a seed, the known effects, and noise."""
    random = np.random.default_rng(seed)
    scores = 80 + random.normal(0, 2, SEEDS)[None, :] + random.normal(0, noise, (len(states), SEEDS))
    for term, size in true.items():
        column = np.prod([states[:, names.index(name)] / 2 for name in term], axis=0)
        scores += size * column[:, None]
    return scores


def as_frame(names, states, scores):
    rows = [
        {**dict(zip(names, states[point] / 2, strict=True)), "seed": str(seed), "score": scores[point, seed]}
        for point, seed in itertools.product(range(len(states)), range(scores.shape[1]))
    ]
    return pd.DataFrame(rows)


def test_a_full_factorial_is_statsmodels_least_squares():
    states = states_of(NAMES, Design.factorial)
    assert len(states) == 2 ** len(NAMES)
    scores = made_up(NAMES, states, TRUE)
    terms = terms_of(NAMES, states)
    found = effects(terms, scores)
    model = smf.ols("score ~ (a + b + c + d)**2 + C(seed)", as_frame(NAMES, states, scores)).fit()
    for term, by_seed in zip(terms.names, found, strict=True):
        assert by_seed.mean() == pytest.approx(model.params[":".join(term)], abs=1e-7), "rounded"
        assert by_seed.mean() == pytest.approx(TRUE.get(term, 0.0), abs=0.3)
    assert set(terms.names) == {(n,) for n in NAMES} | set(itertools.combinations(NAMES, 2))
    assert not terms.unknown
    assert not terms.aliases


def test_intervals_are_statsmodels_over_the_seeds_contrasts():
    states = states_of(NAMES, Design.factorial)
    found = effects(terms_of(NAMES, states), made_up(NAMES, states, TRUE))
    for by_seed in found:
        theirs = sm.OLS(by_seed, np.ones(len(by_seed))).fit().conf_int()[0]
        assert interval(over_one(by_seed)) == pytest.approx(tuple(theirs), abs=1e-8)


def test_what_varies_between_seeds_alone_does_not_widen_the_intervals():
    states = states_of(NAMES, Design.factorial)
    scores = made_up(NAMES, states, TRUE, noise=0.0)
    assert np.ptp(scores.mean(axis=0)) > 1
    found = effects(terms_of(NAMES, states), scores)
    assert found.std(axis=1) == pytest.approx(0, abs=1e-9)


def test_one_at_a_time_is_the_whole_minus_the_whole_without_it():
    states = states_of(NAMES, Design.one_off)
    scores = made_up(NAMES, states, TRUE, noise=1.0)
    terms = terms_of(NAMES, states)
    assert terms.names == [(name,) for name in NAMES], "no interaction can be told"
    assert effects(terms, scores) == pytest.approx(scores[0] - scores[1:])


def test_a_part_is_taken_away_from_what_it_is_a_part_of():
    """Points of prefix and reparameterisation: both on, the part off, and the whole off, where the part is moot."""
    states = np.array([[ON, ON], [ON, OFF], [OFF, MOOT]], dtype=float)
    scores = np.array([[10.0], [7.0], [4.0]])
    terms = terms_of(["prefix", "reparameterisation"], states)
    assert terms.names == [("prefix",), ("reparameterisation",)]
    assert effects(terms, scores)[:, 0] == pytest.approx([6.0, 3.0])


@pytest.mark.parametrize("count", range(6, 17))
def test_a_fraction_keeps_main_effects_clear_of_each_other_and_of_pairs(count):
    """Resolution IV, by its definition."""
    names = [f"c{number}" for number in range(count)]
    states = states_of(names, Design.factorial)
    assert len(states) == 32
    assert (states[0] == ON).all()
    assert (states.T @ states == 32 * np.eye(count)).all()
    pairs = np.array([states[:, i] * states[:, j] for i, j in itertools.combinations(range(count), 2)])
    assert not (pairs @ states).any()
    assert not pairs.sum(axis=1).any()


def test_pairs_that_a_fraction_cannot_tell_apart_are_named():
    names = list("abcdefg")
    states = states_of(names, Design.factorial)
    terms = terms_of(names, states)
    told = sum(len(others) for others in terms.aliases.values()) + sum(len(term) == 2 for term in terms.names)
    assert told == len(list(itertools.combinations(names, 2)))
    for term, others in terms.aliases.items():
        ours = np.prod([states[:, names.index(name)] for name in term], axis=0)
        for other in others:
            theirs = np.prod([states[:, names.index(name)] for name in other], axis=0)
            assert abs(ours @ theirs) == len(states)


def test_more_components_than_a_fraction_takes_are_one_line():
    from bench.errors import UserError

    with pytest.raises(UserError, match="17 components: a fraction of 32 cells takes 16 at most"):
        list(points([f"c{number}" for number in range(17)], Design.factorial))


def test_a_component_that_is_never_off_is_unknown():
    states = np.array([[ON, ON], [ON, OFF]], dtype=float)
    assert terms_of(["a", "b"], states).unknown == ["a"]
