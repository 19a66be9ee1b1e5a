"""Metrics against hand-computed values and the reference libraries, degenerate cases included."""

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from bench.data.published import GLUE_METRICS
from bench.evaluation.glue_metric import glue_scores
from bench.evaluation.translation_metric import translation_scores, translation_signatures


def test_each_task_has_glues_own_metrics() -> None:
    assert GLUE_METRICS == {
        "cola": ("matthews_correlation",),
        "sst2": ("accuracy",),
        "mrpc": ("accuracy", "f1"),
        "stsb": ("pearson", "spearman"),
        "qqp": ("accuracy", "f1"),
        "mnli": ("accuracy",),
        "qnli": ("accuracy",),
        "rte": ("accuracy",),
    }


def test_by_hand() -> None:
    references, predictions = (
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
    )  # 2 true positives, 1 false of each kind, 1 true negative
    assert glue_scores("mrpc", references, predictions) == pytest.approx({"accuracy": 3 / 5, "f1": 2 / 3})
    assert glue_scores("cola", references, predictions)["matthews_correlation"] == pytest.approx((2 * 1 - 1) / 6)
    scores = glue_scores("stsb", [1.0, 2.0, 4.0], [1.0, 3.0, 2.0])
    assert scores["spearman"] == pytest.approx(0.5)
    assert scores["pearson"] == pytest.approx(np.corrcoef([1, 2, 4], [1, 3, 2])[0, 1])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=30))
def test_labels_as_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    references, predictions = [r for r, _ in pairs], [p for _, p in pairs]
    assert glue_scores("qqp", references, predictions) == pytest.approx(
        {"accuracy": accuracy_score(references, predictions), "f1": f1_score(references, predictions, zero_division=0)}
    )
    expected = matthews_corrcoef(references, predictions)
    assert glue_scores("cola", references, predictions)["matthews_correlation"] == pytest.approx(expected)


def test_scores_as_scipy() -> None:
    generator = np.random.default_rng(0)
    references, predictions = generator.uniform(0, 5, 50).tolist(), generator.uniform(0, 5, 50).tolist()
    scores = glue_scores("stsb", references, predictions)
    assert scores["pearson"] == pytest.approx(pearsonr(references, predictions)[0])
    assert scores["spearman"] == pytest.approx(spearmanr(references, predictions)[0])


def test_one_class_predicted() -> None:
    assert glue_scores("cola", [0, 1, 1, 0], [1, 1, 1, 1]) == {"matthews_correlation": 0.0}
    assert glue_scores("mrpc", [0, 1, 1, 0], [0, 0, 0, 0]) == {"accuracy": 0.5, "f1": 0.0}


def test_constant_scores() -> None:
    assert glue_scores("stsb", [1.0, 2.0, 3.0], [2.5, 2.5, 2.5]) == {"pearson": 0.0, "spearman": 0.0}


def test_translations_as_sacrebleu() -> None:
    references, predictions = ["the cat sat on the mat", "a b c d e"], ["the cat sat on a mat", "a b c d f"]
    scores = translation_scores([references], predictions)
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(predictions, [references]).score)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(predictions, [references]).score)
    assert translation_scores([references], references) == pytest.approx({"bleu": 100.0, "chrf": 100.0})


def test_empty_translations() -> None:
    assert translation_scores([["the cat", "a dog"]], ["", ""]) == {"bleu": 0.0, "chrf": 0.0}


def test_signatures_are_sacrebleus() -> None:
    signatures = translation_signatures()
    assert signatures["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp")
    assert signatures["chrf"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0")
