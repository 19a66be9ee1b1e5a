"""Metrics against hand-computed values and the reference libraries, degenerate cases included."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from bench.evaluation.metrics import CLASSES, NUMBERS, scorers_of
from bench.evaluation.translation_metric import translation_score, translation_signatures

MATTHEWS = "matthews_correlation"


def classes(references: list[int], predictions: list[int]) -> dict[str, float]:
    return scores(CLASSES, ("accuracy", "f1", MATTHEWS), references, predictions)


def numbers(references: list[float], predictions: list[float]) -> dict[str, float]:
    return scores(NUMBERS, ("pearson", "spearman"), references, predictions)


def scores(kind: str, names: Sequence[str], references: list[Any], predictions: list[Any]) -> dict[str, float]:
    return {one.metric.name: one.score(references, predictions) for one in scorers_of(names, kind, ())}


def test_by_hand() -> None:
    references, predictions = (
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
    )  # 2 true positives, 1 false of each kind, 1 true negative
    wanted = {"accuracy": 3 / 5, "f1": 2 / 3, MATTHEWS: (2 * 1 - 1) / 6}
    assert classes(references, predictions) == pytest.approx(wanted)
    found = numbers([1.0, 2.0, 4.0], [1.0, 3.0, 2.0])
    assert found["spearman"] == pytest.approx(0.5)
    assert found["pearson"] == pytest.approx(np.corrcoef([1, 2, 4], [1, 3, 2])[0, 1])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=30))
def test_labels_as_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    references, predictions = [r for r, _ in pairs], [p for _, p in pairs]
    wanted = {
        "accuracy": accuracy_score(references, predictions), "f1": f1_score(references, predictions, zero_division=0),
        MATTHEWS: matthews_corrcoef(references, predictions),
    }  # fmt: skip
    assert classes(references, predictions) == pytest.approx(wanted)


def test_scores_as_scipy() -> None:
    generator = np.random.default_rng(0)
    references, predictions = generator.uniform(0, 5, 50).tolist(), generator.uniform(0, 5, 50).tolist()
    found = numbers(references, predictions)
    assert found["pearson"] == pytest.approx(pearsonr(references, predictions)[0])
    assert found["spearman"] == pytest.approx(spearmanr(references, predictions)[0])


def test_one_class_predicted() -> None:
    assert classes([0, 1, 1, 0], [1, 1, 1, 1]) == pytest.approx({"accuracy": 0.5, "f1": 2 / 3, MATTHEWS: 0.0})
    assert classes([0, 1, 1, 0], [0, 0, 0, 0]) == {"accuracy": 0.5, "f1": 0.0, MATTHEWS: 0.0}


def test_constant_scores() -> None:
    assert numbers([1.0, 2.0, 3.0], [2.5, 2.5, 2.5]) == {"pearson": 0.0, "spearman": 0.0}


def test_translations_as_sacrebleu() -> None:
    references, predictions = ["the cat sat on the mat", "a b c d e"], ["the cat sat on a mat", "a b c d f"]
    scores = {name: translation_score(name, [references], predictions) for name in ("bleu", "chrf")}
    assert scores["bleu"] == pytest.approx(sacrebleu.corpus_bleu(predictions, [references]).score)
    assert scores["chrf"] == pytest.approx(sacrebleu.corpus_chrf(predictions, [references]).score)
    assert translation_score("bleu", [references], references) == pytest.approx(100.0)
    assert translation_score("chrf", [references], references) == pytest.approx(100.0)


def test_empty_translations() -> None:
    assert [translation_score(name, [["the cat", "a dog"]], ["", ""]) for name in ("bleu", "chrf")] == [0.0, 0.0]


def test_signatures_are_sacrebleus() -> None:
    signatures = translation_signatures()
    assert signatures["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp")
    assert signatures["chrf"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0")
