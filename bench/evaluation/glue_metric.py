"""GLUE's metrics, as local `evaluate` metrics: the hub's scripts cannot be had offline."""

import tempfile
from typing import Any

import datasets
import evaluate
import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from bench.data.published import GLUE_METRICS
from bench.evaluation.metrics import correlation


class GlueMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate is not typed
    """The metrics of one GLUE task, named by `config_name`; predictions are labels, or scores for STS-B."""

    def _info(self) -> evaluate.MetricInfo:
        kind = "float64" if self.config_name == "stsb" else "int64"
        features = datasets.Features({"predictions": datasets.Value(kind), "references": datasets.Value(kind)})
        return evaluate.MetricInfo(
            description=__doc__,
            citation="Wang et al. 2019, https://arxiv.org/abs/1804.07461",
            inputs_description="predictions and references, one each per example",
            features=features,
        )

    def _compute(self, predictions: list[float], references: list[float]) -> dict[str, float]:
        names = GLUE_METRICS[self.config_name]
        return {name: METRICS[name](np.asarray(references), np.asarray(predictions)) for name in names}


def glue_scores(task: str, references: list[Any], predictions: list[Any]) -> dict[str, float]:
    """The metrics of GLUE task `task` on parallel lists of references and predictions."""
    # A cache of its own: the library makes folders in the user's home, which a compute node may not write.
    with tempfile.TemporaryDirectory() as cache:
        metric = GlueMetric(config_name=task, keep_in_memory=True, cache_dir=cache)
        scores: dict[str, float] | None = metric.compute(predictions=predictions, references=references)
    assert scores is not None
    return scores


METRICS = {
    "accuracy": lambda references, predictions: float(accuracy_score(references, predictions)),
    "f1": lambda references, predictions: float(f1_score(references, predictions, zero_division=0)),
    "matthews_correlation": lambda references, predictions: float(matthews_corrcoef(references, predictions)),
    "pearson": correlation(pearsonr),
    "spearman": correlation(spearmanr),
}
