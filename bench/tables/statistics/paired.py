"""Paired tests of two systems on the same examples: pure functions on arrays.

Accuracies: McNemar's exact test (McNemar 1947, https://doi.org/10.1007/BF02295996). Other metrics and averages over
subjects: paired bootstrap (Efron and Tibshirani 1993, chapter 16). BLEU and chrF: paired bootstrap by sacreBLEU
(Koehn 2004, https://aclanthology.org/W04-3250).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Metric = Callable[[Array, Array], float]  # references and predictions, each (examples,), to a score

RESAMPLES = 1000
BLOCKS = 200  # of the jackknife


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Two-sided exact p-value that two systems are right equally often.

    Args:
        first: which examples one system got right, shape `(examples,)`.
        second: the same of the other.
    """
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def paired_bootstrap(
    references: Array, first: Array, second: Array, metric: Metric, *, resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """Two-sided bootstrap p-value that two systems score the same by any metric.

    Args:
        references: what should be predicted, shape `(examples,)`.
        first: one system's predictions, shape `(examples,)`.
        second: the other's.
        metric: the score.
        resamples: how many samples of examples are drawn with replacement.
        seed: of the drawing.
    """
    random = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for at in range(resamples):
        drawn = random.integers(0, len(references), len(references))
        differences[at] = metric(references[drawn], first[drawn]) - metric(references[drawn], second[drawn])
    return two_sided(differences)


def grouped_bootstrap(
    first: Array, second: Array, groups: NDArray[np.int64], resamples: int = RESAMPLES, seed: int = 0
) -> float:
    """Two-sided bootstrap p-value for the mean over groups of each group's accuracy; examples drawn within groups.

    Args:
        first: 1.0 where one system is right, shape `(examples,)`.
        second: the same of the other.
        groups: each example's group as a number, shape `(examples,)`.
        resamples: how many samples are drawn.
        seed: of the drawing.
    """
    random = np.random.default_rng(seed)
    difference = first - second
    means = np.zeros(resamples)
    kinds = np.unique(groups)
    for kind in kinds:
        values = difference[groups == kind]
        means += values[random.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    return two_sided(means / len(kinds))


def translation_score(references: list[str], predictions: list[str], metric: str, words: str = "") -> float:
    """Corpus BLEU (of the words that the tokenizer `words` finds; empty: sacreBLEU's default) or chrF, in 0…100."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    scorer = CHRF() if metric == "chrf" else BLEU(tokenize=words or None)
    return float(scorer.corpus_score(predictions, [references]).score)


def bleu_bootstrap(
    references: list[str], first: list[str], second: list[str], metric: str = "bleu", words: str = ""
) -> float:
    """SacreBLEU's paired bootstrap p-value that two sets of translations score the same corpus BLEU (or chrF)."""
    if first == second:
        return 1.0  # where nothing differs, sacreBLEU's resampling has no spread and gives its smallest p-value
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.significance import PairedTest, Result

    scorer = (
        CHRF(references=[references]) if metric == "chrf" else BLEU(tokenize=words or None, references=[references])
    )
    systems: list[tuple[str, Sequence[str]]] = [("Baseline: second", second), ("first", first)]
    _, scores = PairedTest(systems, {"metric": scorer}, None, test_type="bs", n_samples=RESAMPLES)()
    result = next(values[1] for name, values in scores.items() if name != "System")
    assert isinstance(result, Result)
    assert result.p_value is not None
    return float(result.p_value)


def two_sided(differences: Array) -> float:
    """The p-value of no difference from bootstrapped differences, shape `(resamples,)`; never 0, at most 1."""
    below, above = (differences <= 0).sum(), (differences >= 0).sum()
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(differences) + 1)))


def jackknifed(examples: int, score: Callable[[NDArray[np.bool_]], float], blocks: int = BLOCKS) -> Array:
    """Each block's part in a score: the pseudo-values g·s − (g−1)·s₋ᵦ of the jackknife, moved to the score as mean.

    Examples are put into g blocks of equal size at random, the same for every system (Tukey 1958; Efron and Tibshirani
    1993, chapter 11).

    Args:
        examples: how many.
        score: of those that are kept, a mask of shape `(examples,)`.
        blocks: at most so many.
    """
    blocks = min(blocks, examples)
    block = np.random.default_rng(0).permutation(examples) % max(blocks, 1)
    whole = score(np.ones(examples, dtype=bool))
    if blocks < 2:
        return np.array([whole])
    values = np.array([blocks * whole - (blocks - 1) * score(block != at) for at in range(blocks)])
    return np.asarray(values - values.mean() + whole, dtype=float)


def f1(references: Array, predictions: Array) -> float:
    """F1 of label 1; 0 where it is not defined. Both of shape `(examples,)`."""
    hits = float(((references == 1) & (predictions == 1)).sum())
    wrong = float(((references == 1) != (predictions == 1)).sum())
    return 2 * hits / (2 * hits + wrong) if hits else 0.0


def correlation(references: Array, predictions: Array) -> float:
    """Pearson's coefficient of two arrays of shape `(examples,)`; 0 where one side is constant.

    On two labels this is Matthews' coefficient; on ranks it is Spearman's.
    """
    if np.ptp(references) == 0 or np.ptp(predictions) == 0:
        return 0.0
    return float(np.corrcoef(references, predictions)[0, 1])


def spearman(references: Array, predictions: Array) -> float:
    """Spearman's coefficient, ties with their mean rank."""
    from scipy.stats import rankdata

    return correlation(rankdata(references), rankdata(predictions))


def squared_error(references: Array, predictions: Array) -> float:
    """The mean of the squared differences."""
    return float(np.mean((references - predictions) ** 2))


def absolute_error(references: Array, predictions: Array) -> float:
    """The mean of the differences' absolute values."""
    return float(np.mean(np.abs(references - predictions)))


METRICS: dict[str, Metric] = {
    "f1": f1,
    "matthews_correlation": correlation,
    "pearson": correlation,
    "spearman": spearman,
    "mse": squared_error,
    "rmse": lambda references, predictions: squared_error(references, predictions) ** 0.5,
    "mae": absolute_error,
}
