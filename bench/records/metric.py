"""What a metric's number says: which way is better, between which bounds it lies, whether it may be averaged.

A task declares its metrics; where it does not, names that everybody uses alike are known here. Records carry the
description, so that tables, which know nothing of tasks, follow it.
"""

import math
import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from bench.errors import UserError

HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: as `Task.score` gives it.
        better: "higher" or "lower".
        low, high: its range; None: no bound.
        averaged: whether its mean with other tasks' metrics says anything.
        assumed: whether nobody declared it and its name tells nothing, so that "higher" is a guess.
    """

    name: str
    better: str = HIGHER
    low: float | None = None
    high: float | None = None
    averaged: bool = False
    assumed: bool = False

    def __post_init__(self) -> None:
        if self.better not in (HIGHER, LOWER):
            raise UserError(f"the metric '{self.name}' has better={self.better}; it must be higher or lower")

    def beats(self, value: float, best: float | None) -> bool:
        """Whether `value` is better than the `best` so far; what is no number never is."""
        if math.isnan(value):
            return False
        if best is None or math.isnan(best):
            return True
        return value > best if self.better == HIGHER else value < best

    def outside(self, value: float) -> bool:
        """Whether `value` lies outside the range; rounding does not count, nor what is no number."""
        above = self.high is not None and value > self.high + 1e-6 * abs(self.high)
        return above or (self.low is not None and value < self.low - 1e-6 * max(1.0, abs(self.low)))

    def to_dict(self) -> dict[str, Any]:
        """For the record, under its name."""
        return {key: value for key, value in asdict(self).items() if key != "name"}


def from_dict(name: str, told: Any) -> Metric:
    """The description in a record; what its name says where there is none that can be read."""
    try:
        metric = Metric(name, **told)
    except (TypeError, UserError):  # no mapping, other keys, another direction
        return known_metric(name)
    bounds = all(bound is None or type(bound) in (int, float) for bound in (metric.low, metric.high))
    return metric if bounds and {type(metric.averaged), type(metric.assumed)} == {bool} else known_metric(name)


# Words in a metric's name, and what they say: better, low, high.
WORDS: dict[str, tuple[str, float | None, float | None]] = {
    **dict.fromkeys(
        ("accuracy", "acc", "f1", "precision", "recall", "auc", "auroc", "auprc", "em", "ndcg", "mrr", "map", "iou",
         "dice", "jaccard", "sensitivity", "specificity"),
        (HIGHER, 0.0, 1.0),
    ),
    **dict.fromkeys(("matthews", "mcc", "pearson", "spearman", "kendall", "kappa", "correlation"), (HIGHER, -1.0, 1.0)),
    **dict.fromkeys(("bleu", "chrf", "sacrebleu", "gleu"), (HIGHER, 0.0, 100.0)),
    **dict.fromkeys(("rouge", "rouge1", "rouge2", "rougel", "rougelsum", "meteor", "bertscore"), (HIGHER, 0.0, None)),
    **dict.fromkeys(("r2", "likelihood", "comet", "bleurt"), (HIGHER, None, None)),
    **dict.fromkeys(
        ("error", "errors", "loss", "rmse", "mse", "mae", "mape", "msle", "rmsle", "smape", "medae", "wer", "cer",
         "ter", "mer", "eer", "fpr", "fnr", "hter", "perplexity", "ppl", "brier", "ece", "distance", "levenshtein",
         "deviance", "regret", "fid"),
        (LOWER, 0.0, None),
    ),
    **dict.fromkeys(("nll", "entropy", "divergence", "kl", "surprisal", "bpb", "bpc"), (LOWER, None, None)),
}  # fmt: skip
# Of several words, so that none of them says it alone.
PHRASES: dict[tuple[str, ...], tuple[str, float | None, float | None]] = {
    ("exact", "match"): (HIGHER, 0.0, 1.0),
    ("average", "precision"): (HIGHER, 0.0, 1.0),
    ("false", "positive"): (LOWER, 0.0, None),
    ("false", "negative"): (LOWER, 0.0, None),
    ("bits", "per"): (LOWER, 0.0, None),
    ("miss", "rate"): (LOWER, 0.0, 1.0),
    ("bert", "score"): (HIGHER, 0.0, None),
    ("edit", "similarity"): (HIGHER, 0.0, None),
}
NEGATED = ("neg", "negative", "negated", "minus")  # scikit-learn's neg_mean_squared_error: higher is better


@lru_cache(maxsize=1024)  # a hundred thousand records have the same few
def known_metric(name: str) -> Metric:
    """What a metric's name says; with `assumed` where it says nothing.

    Of several known words the last decides, as in "word error rate" and "accuracy error": it says what is counted.
    """
    words = _words(name)
    found = [WORDS[word] for word in words if word in WORDS]
    for phrase, told in PHRASES.items():
        if any(tuple(words[at : at + len(phrase)]) == phrase for at in range(len(words))):
            found.append(told)
    if not found:
        return Metric(name, assumed=True)
    better, low, high = found[-1]
    if words and words[0] in NEGATED and not (words[1:2] == ["predictive"] or ("false" in words)):
        better = LOWER if better == HIGHER else HIGHER
        low, high = (None if high is None else -high), (None if low is None else -low)
    return Metric(name, better, low, high, averaged=better == HIGHER and low is not None and high is not None)


def _words(name: str) -> list[str]:
    """The words of `meanSquaredError`, `mean_squared_error`, `eval/RMSE` in small letters."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]
