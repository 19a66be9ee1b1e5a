"""Scores of predictions, and each block of test items' part in them: pure functions on arrays."""

import logging
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.tables.statistics.aggregate import Array

Metric = Callable[[Array, Array], float]  # references and predictions, each (examples,), to a score

BLOCKS = 200  # of the jackknife


def jackknifed(examples: int, score: Callable[[NDArray[np.bool_]], float], blocks: int = BLOCKS) -> Array:
    """Each block's part in a score: the pseudo-values g·s − (g−1)·s₋ᵦ of the jackknife, moved to the score as mean.

    Examples are put into g blocks of equal size at random, the same for every system (Tukey 1958; Efron and Tibshirani
    1993, chapter 11).

    Args:
        examples: how many.
        score: of those that are kept, a mask of shape `(examples,)`.
        blocks: at most so many.
    """
    block, blocks = _blocks(examples, blocks)
    whole = score(np.ones(examples, dtype=bool))
    return _pseudo_values(whole, np.array([score(block != at) for at in range(blocks)]) if blocks > 1 else np.empty(0))


def jackknifed_mean(values: Array, blocks: int = BLOCKS) -> Array:
    """As `jackknifed`, of the mean of values, shape `(examples,)`."""
    block, blocks = _blocks(len(values), blocks)
    sums, counts = np.bincount(block, values, blocks), np.bincount(block, minlength=blocks)
    without = (sums.sum() - sums) / (len(values) - counts) if blocks > 1 else np.empty(0)
    return _pseudo_values(float(values.mean()), without)


def jackknifed_sums(statistics: Array, score: Callable[[Array], float], blocks: int = BLOCKS) -> Array:
    """As `jackknifed`, of a score that depends on sums over examples only.

    Args:
        statistics: shape `(examples, statistics)`.
        score: of their sums, shape `(statistics,)`.
        blocks: at most so many.
    """
    block, blocks = _blocks(len(statistics), blocks)
    sums = np.stack([np.bincount(block, one, blocks) for one in statistics.T], axis=1)
    total = sums.sum(axis=0)
    without = np.array([score(total - one) for one in sums]) if blocks > 1 else np.empty(0)
    return _pseudo_values(score(total), without)


@lru_cache(maxsize=64)
def _blocks(examples: int, blocks: int) -> tuple[NDArray[np.int64], int]:
    """Which block each example is in, and how many there are."""
    blocks = min(blocks, examples)
    return np.random.default_rng(0).permutation(examples) % max(blocks, 1), blocks


def _pseudo_values(whole: float, without: Array) -> Array:
    """From the score, and the score without each block; empty: there is one block."""
    if not len(without):
        return np.array([whole])
    values = len(without) * whole - (len(without) - 1) * without
    return np.asarray(values - values.mean() + whole, dtype=float)


def translation_parts(references: list[str], predictions: list[str], metric: str, words: str = "") -> Array:
    """Each block's part in corpus BLEU (of the words that the tokenizer `words` finds; empty: its default) or chrF.

    From sacreBLEU's counts of each sentence, which its own paired tests resample.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    logging.getLogger("sacrebleu").setLevel(logging.ERROR)  # what it has to say of the texts was said at scoring

    scorer = CHRF() if metric == "chrf" else BLEU(tokenize=words or None)
    counts = np.array(scorer._extract_corpus_statistics(predictions, [references]), dtype=float)
    return jackknifed_sums(counts, lambda sums: float(scorer._compute_score_from_stats(sums.tolist()).score))


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
