"""Metrics of written texts, on cases made by hand."""

import datasets
import evaluate
import pytest

from bench.errors import UserError
from bench.evaluation.metrics import CLASSES, TEXTS, scorers_of


def score(name, right, said):
    [scorer] = scorers_of([name], TEXTS, ())
    return scorer.score(right, said)


@pytest.mark.parametrize(
    ("right", "said", "same"),
    [
        ("so 48 / 2 = 24\n#### 24", "She has 24.", 1),
        ("#### 1,024", "It is 1024", 1),
        ("#### 24", "24 at first, then 25", 0),
        ("#### 24", "3 times 8\n#### 24\nand 7 more", 1),
        ("#### -3", "#### -3.0", 1),
        ("#### 3", "three", 0),
    ],
)
def test_the_last_number_is_the_answer_or_the_one_behind_the_mark(right, said, same):
    assert score("exact_match_number", [right], [said]) == same


def test_the_first_label_that_is_written_counts():
    right = ["true", "false", "true", "false"]
    said = ["The correct answer is True.", "the answer is false", "untrue", "true, not false"]
    assert score("exact_match_label", right, said) == 0.5
    assert score("exact_match_label", ["answer1", "answer10"], ["answer10", "answer10"]) == 0.5


def test_the_best_of_several_right_texts_counts():
    assert score("squad_f1", [["the cat sat", "a dog"]], ["dog"]) == 1
    assert score("exact_match", [["a", "b"], ["c"]], ["b", "d"]) == 0.5
    assert score("rouge1", [["x y", "the cat"]], ["the cat"]) == 1


@pytest.mark.parametrize(
    ("right", "said", "f1", "same"),
    [
        ("光荣和ω-force", "光荣和ω-force", 1, 1),
        ("光荣和ω-force", "光荣", 2 * 2 / (4 + 2), 0),  # 光 荣 和 ωforce
        ("1963年被任为主教", "1963年", 2 * 2 / (7 + 2), 0),  # a year is one word
        ("任天堂游戏谜之村雨城", "村雨城游戏", 2 * 3 / (10 + 5), 0),  # 村雨城 is the longest run, in whatever place
        ("“战史演武”，争霸。", "战史演武争霸", 1, 1),  # punctuation does not count
        (" ABC公司", "abc公司 ", 1, 1),  # nor do case and blanks around
        ("hello world", "hello there world", 2 * 1 / (2 + 3), 0),  # a run has no gap
        ("歐洲", "美洲", 2 * 1 / (2 + 2), 0),
        ("歐洲", "", 0, 0),
        ("。", "", 0, 1),  # as in the script: nothing is the same, and no run of it
    ],
)
def test_cmrc_compares_chinese_characters_and_the_longest_run_of_them(right, said, f1, same):
    assert score("cmrc_f1", [right], [said]) == pytest.approx(f1)
    assert score("cmrc_exact_match", [right], [said]) == same


def test_cmrc_takes_the_best_of_several_and_the_mean_over_rows():
    right = [["村雨城", "任天堂游戏谜之村雨城"], ["歐洲", "歐洲"]]
    assert score("cmrc_f1", right, ["谜之村雨城", "亞洲"]) == pytest.approx((max(6 / 8, 10 / 15) + 2 / 4) / 2)


def test_bleu_takes_as_many_references_as_there_are():
    right = ["the cat sat on the mat today", ["nobody knows", "a dog ran over the field"]]
    assert score("bleu", right, ["the cat sat on the mat today", "a dog ran over the field"]) == pytest.approx(100)
    assert score("bleu", [right[0], "nobody knows"], ["the cat sat on the mat today", "a dog ran over"]) < 90


class ShareOfOnes(evaluate.Metric):
    """A metric of the library `evaluate`, as a user may have written one."""

    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        return {"share": sum(predictions) / len(predictions), "right": sum(references) / len(references)}


def test_a_metric_of_evaluate_is_taken_by_its_class(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    target = {"_target_": f"{__name__}.ShareOfOnes"}
    [scorer] = scorers_of([target | {"name": "share", "better": "higher"}], CLASSES, ())
    assert scorer.score([0, 0, 1, 1], [1, 1, 1, 0]) == 0.75
    [nameless] = scorers_of([target], CLASSES, ())
    with pytest.raises(UserError, match="gives share, right, and none is called ShareOfOnes"):
        nameless.score([0, 1], [1, 1])
