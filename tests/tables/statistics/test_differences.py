"""The tests behind ties hold their level; figures over tasks are those that rliable's paper defines."""

from dataclasses import replace

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from scikit_posthocs import compact_letter_display
from scipy.stats import mannwhitneyu, ttest_rel

from bench.tables.statistics.aggregate import (
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    stratified_interval,
)
from bench.tables.statistics.differences import (
    bootstrapped,
    holm,
    interval,
    letters,
    over_both,
    over_one,
    p_values,
    reach,
    spread_of,
)
from bench.tables.statistics.parts import correlation, jackknifed, jackknifed_mean, jackknifed_sums, translation_parts

REPEATS = 1000


@pytest.mark.parametrize("seeds", [3, 4, 5])
def test_equal_methods_are_tied_in_95_of_100_repetitions_over_seeds(seeds):
    random = np.random.default_rng(seeds)
    values = p_values(over_one(random.normal(0, 1, (REPEATS, seeds))))
    assert 0.93 <= (values > 0.05).mean() <= 0.97


def tied_over_both(seeds, of_seeds, of_items):
    """The share of repetitions; `of_seeds` and `of_items` are standard deviations beside that of what is left, 1."""
    random = np.random.default_rng(0)
    differences = random.normal(0, 1, (REPEATS, seeds, 60))
    differences += random.normal(0, of_seeds, (REPEATS, seeds, 1))
    differences += random.normal(0, of_items, (REPEATS, 1, 60))
    return (p_values(over_both(differences)) > 0.05).mean()


@pytest.mark.parametrize(("of_seeds", "of_items"), [(0.5, 0), (0.5, 2), (0.3, 0.5), (3, 0.5), (3, 3)])
@pytest.mark.parametrize("seeds", [3, 5])
def test_equal_methods_are_tied_in_95_of_100_repetitions_over_seeds_and_items(seeds, of_seeds, of_items):
    assert 0.93 <= tied_over_both(seeds, of_seeds, of_items) <= 0.97


@pytest.mark.parametrize(("of_seeds", "of_items"), [(0, 0), (0, 0.3)])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_where_seeds_make_no_difference_of_their_own_more_are_tied(seeds, of_seeds, of_items):
    assert tied_over_both(seeds, of_seeds, of_items) > 0.96  # the variance is never below that of either alone


def test_of_two_seeds_and_items_no_more_are_told_apart():
    assert all(tied_over_both(2, one, other) >= 0.92 for one, other in [(0.5, 2), (3, 3), (1, 0)])


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_level_holds_where_holm_asks_for_a_small_one(seeds):
    random = np.random.default_rng(0)
    differences = random.normal(0, 1, (10 * REPEATS, seeds, 20))
    differences += random.normal(0, 1, (10 * REPEATS, seeds, 1)) + random.normal(0, 3, (10 * REPEATS, 1, 20))
    assert (p_values(over_both(differences)) < 0.001).mean() <= 0.002


def test_the_interval_over_both_is_what_the_test_does_not_refuse():
    random = np.random.default_rng(0)
    differences = random.normal(0.3, 1, (4, 30)) + random.normal(0, 0.3, (4, 1))
    for end in interval(over_both(differences)):
        assert p_values(over_both(differences - end)) == pytest.approx(0.05)


def test_several_equal_methods_are_all_tied_after_holm():
    random = np.random.default_rng(0)
    scores = random.normal(0, 1, (REPEATS, 4, 5))  # methods, seeds
    pairs = [(one, other) for one in range(4) for other in range(one)]
    values = np.stack([p_values(over_one(scores[:, one] - scores[:, other])) for one, other in pairs], axis=1)
    assert (6 * values.min(axis=1) > 0.05).mean() >= 0.93  # Holm's first step decides whether any is told apart
    assert holm(values[0]).min() == pytest.approx(min(1.0, 6 * values[0].min()))


def test_a_real_difference_is_found():
    random = np.random.default_rng(0)
    assert (p_values(over_one(random.normal(4, 1, (REPEATS, 5)))) < 0.05).mean() > 0.98
    assert (p_values(over_both(random.normal(1, 1, (REPEATS, 3, 60)))) < 0.05).mean() > 0.98


def test_over_seeds_it_is_the_paired_t_test():
    random = np.random.default_rng(0)
    first, second = random.normal(0, 1, (2, 5))
    theirs = ttest_rel(first, second)
    spread = over_one(first - second)
    assert float(p_values(spread)) == pytest.approx(theirs.pvalue)
    assert interval(spread) == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_differences_without_spread_have_the_p_value_of_their_signs():
    assert p_values(over_one(np.full(3, 0.1))) == pytest.approx(0.25)
    assert p_values(over_one(np.zeros(3))) == 1.0
    assert p_values(over_both(np.zeros((3, 4)))) == 1.0


def test_the_bootstrap_is_the_same_each_time_and_around_the_mean():
    differences = np.random.default_rng(0).normal(1, 1, (5, 40))
    assert bootstrapped(differences) == bootstrapped(differences)
    low, high = bootstrapped(differences)
    assert low < differences.mean() < high


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert len(holm(np.array([]))) == 0


def test_two_methods_share_a_letter_exactly_if_they_cannot_be_told_apart():
    random = np.random.default_rng(0)
    for _ in range(200):
        corrected = np.triu(random.choice([0.01, 0.5], (6, 6)), 1)
        corrected = corrected + corrected.T + np.eye(6)
        shown = letters(corrected)
        for one in range(6):
            for other in range(one):
                assert bool(set(shown[one]) & set(shown[other])) == (corrected[one, other] >= 0.05)
        theirs = [text.replace(" ", "") for text in compact_letter_display(corrected, alpha=0.05)]
        assert [*map(len, shown)] == [*map(len, theirs)]  # no letter too many


def test_letters_by_hand():
    apart, tied = 0.01, 0.5
    assert letters(np.array([[1.0, tied, apart], [tied, 1.0, tied], [apart, tied, 1.0]])) == ["a", "ab", "b"]
    assert letters(np.full((60, 60), tied)) == ["a"] * 60


def test_more_groups_than_letters_have_none():
    assert letters(np.where(np.eye(53, dtype=bool), 1.0, 0.01)) == [""] * 53
    assert letters(np.where(np.eye(52, dtype=bool), 1.0, 0.01))[-1] == "Z"


def test_parts_of_a_score_have_it_as_their_mean():
    random = np.random.default_rng(0)
    references, predictions = random.integers(0, 2, (2, 300)).astype(float)
    right = references == predictions
    assert jackknifed(300, lambda kept: right[kept].mean()).mean() == pytest.approx(right.mean())
    alone = jackknifed(4, lambda kept: right[:4][kept].mean())
    assert sorted(alone) == pytest.approx(sorted(right[:4].astype(float)))  # of a mean, an item's part is its value
    parts = jackknifed(300, lambda kept: correlation(references[kept], predictions[kept]))
    assert parts.shape == (200,)
    assert parts.mean() == pytest.approx(correlation(references, predictions))


def test_parts_of_sums_are_those_of_masks():
    values = np.random.default_rng(0).random(300)
    whole = jackknifed(300, lambda kept: values[kept].mean())
    assert jackknifed_mean(values) == pytest.approx(whole)
    counted = np.stack([values, np.ones(300)], axis=1)
    assert jackknifed_sums(counted, lambda sums: sums[0] / sums[1]) == pytest.approx(whole)
    assert jackknifed_mean(np.array([0.5])) == [0.5]


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_parts_of_translations_have_the_corpus_score_as_their_mean(metric):
    wanted = [f"the cat number {at} sat on the big red mat" for at in range(30)]
    said = [text.replace("big", "small") if at % 3 else text for at, text in enumerate(wanted)]
    parts = translation_parts(wanted, said, metric)
    assert parts.shape == (30,)
    scorer = CHRF() if metric == "chrf" else BLEU()
    assert parts.mean() == pytest.approx(scorer.corpus_score(said, [wanted]).score)


def test_the_interquartile_mean_by_hand():
    assert interquartile_mean(np.array([[0.0, 1, 2, 3], [4, 5, 6, 100]])) == 3.5  # of 2, 3, 4, 5


def test_a_profile_is_the_share_of_runs_above():
    scores = np.array([[1.0, 2], [3, 4]])
    assert performance_profile(scores, np.array([0.0, 2, 4])).tolist() == [1.0, 0.5, 0.0]


def test_the_probability_of_improvement_is_mann_and_whitneys():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 6, (2, 5, 3)).astype(float)
    by_task = [mannwhitneyu(first[:, at], second[:, at]).statistic / 25 for at in range(3)]
    assert probability_of_improvement(first, second) == pytest.approx(np.mean(by_task))


# rliable 1.2.0 (with arch 7.2.0, numpy 2.4.6), which stays out of our environment: its figures of these scores.
FIVE = np.array([[0.31, 0.74, 0.52], [0.29, 0.81, 0.55], [0.40, 0.69, 0.47], [0.35, 0.77, 0.61], [0.12, 0.90, 0.58]])
OTHER_FIVE = np.array(
    [[0.33, 0.70, 0.52], [0.25, 0.79, 0.49], [0.41, 0.66, 0.50], [0.30, 0.77, 0.57], [0.28, 0.84, 0.44]]
)
FOUR = OTHER_FIVE[:4]
THRESHOLDS = np.array([0.0, 0.25, 0.3, 0.5, 0.52, 0.77, 0.9])  # some of them scores


def test_the_interquartile_mean_is_rliables():
    found = [float(interquartile_mean(scores)) for scores in (FIVE, OTHER_FIVE, FOUR)]
    assert found == pytest.approx([0.5455555555555556, 0.5133333333333333, 0.525], abs=1e-12)


def test_the_probability_of_improvement_is_rliables():
    pairs = [(FIVE, OTHER_FIVE), (OTHER_FIVE, FIVE), (FIVE, FOUR)]
    found = [float(probability_of_improvement(*pair)) for pair in pairs]
    assert found == pytest.approx([0.6133333333333334, 0.38666666666666666, 0.6], abs=1e-12)


def test_performance_profiles_are_rliables():
    of_five = [1.0, 0.9333333333333333, 0.8666666666666667, 0.6, 0.5333333333333333, 0.13333333333333333, 0.0]
    of_four = [1.0, 0.9166666666666666, 0.8333333333333334, 0.5, 0.4166666666666667, 0.08333333333333333, 0.0]
    assert performance_profile(FIVE, THRESHOLDS) == pytest.approx(of_five, abs=1e-12)
    assert performance_profile(FOUR, THRESHOLDS) == pytest.approx(of_four, abs=1e-12)


@pytest.mark.parametrize(("scores", "rliables"), [(FIVE, (0.51444444, 0.57444444)), (FOUR, (0.49833333, 0.55))])
def test_the_stratified_interval_is_rliables_but_for_the_drawing(scores, rliables):
    """rliable's percentiles are of 20,000 resamples."""
    assert stratified_interval(interquartile_mean, [scores], resamples=20000) == pytest.approx(rliables, abs=0.002)


def test_the_stratified_interval_keeps_tasks_apart():
    scores = np.tile([1.0, 2.0, 3.0, 4.0], (5, 1))  # seeds are alike, so that drawing them changes nothing
    assert stratified_interval(interquartile_mean, [scores]) == (2.5, 2.5)


@pytest.mark.parametrize(("seeds", "items"), [(3, 1), (5, 1), (1, 40), (4, 30)])
def test_a_difference_of_the_reach_has_just_the_level(seeds, items):
    """What lies below could not have been told from none."""
    random = np.random.default_rng(0)
    apart = random.normal(0.3, 1.0, (6, seeds, items)) + random.normal(0, 0.5, (6, seeds, 1))
    spread = spread_of(apart)
    for level in (0.05, 0.05 / 420):
        far = replace(spread, mean=reach(spread, level))
        assert p_values(far) == pytest.approx(np.full(6, level), rel=1e-6)
    assert (reach(spread, 0.001) > reach(spread, 0.05)).all()
