"""Statistics against references: numpy, scipy and sacreBLEU, and their properties."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, spearmanr
from sklearn.metrics import f1_score, matthews_corrcoef

from bench.errors import UserError
from bench.tables import Options, make_table
from bench.tables.statistics.paired import (
    bleu_bootstrap,
    correlation,
    f1,
    grouped_bootstrap,
    mcnemar,
    paired_bootstrap,
    spearman,
)
from bench.tables.statistics.pareto import pareto_front
from bench.tables.statistics.summary import bootstrap_interval, deviation, ranks
from tests.tables.made_records import make_record, save

RANDOM = np.random.default_rng(1)
scores = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8)


def test_the_interval_agrees_with_scipy():
    values = RANDOM.normal(50, 3, 30)
    ours = bootstrap_interval(values, resamples=20_000)
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    assert ours == pytest.approx(theirs, abs=0.06)


@given(scores, st.sampled_from(["mean", "median"]))
def test_the_interval_lies_within_the_values_and_is_the_same_each_time(values, statistic):
    low, high = bootstrap_interval(np.array(values), statistic, resamples=50)
    slack = 1e-9 * max(map(abs, values), default=0)
    assert min(values) - slack <= low <= high <= max(values) + slack
    assert (low, high) == bootstrap_interval(np.array(values), statistic, resamples=50)


def test_no_interval_without_finite_values():
    assert bootstrap_interval(np.array([1.0])) is None
    assert bootstrap_interval(np.array([1.0, np.nan])) is None
    assert deviation(np.array([1.0])) is None


def test_ranks_follow_what_is_printed():
    assert ranks(np.array([1.001, 1.002, 0.5, np.nan]), 2, True) == [1, 1, None, None]
    assert ranks(np.array([3.0, 1.0, 2.0]), 2, False) == [None, 1, 2]
    assert ranks(np.array([3.0, np.nan]), 2, True) == [None, None]


def test_mcnemar_is_the_exact_binomial_test():
    first = np.array([True] * 15 + [False] * 5 + [True] * 30)
    second = np.array([False] * 15 + [True] * 5 + [True] * 30)
    assert mcnemar(first, second) == pytest.approx(0.0413894653, rel=1e-6)  # R: binom.test(15, 20)
    assert mcnemar(first, first) == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_mcnemar_does_not_care_who_is_first(pairs):
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    assert mcnemar(first, second) == pytest.approx(mcnemar(second, first))


def test_metrics_agree_with_scikit_learn_and_scipy():
    references, predictions = RANDOM.integers(0, 2, 200).astype(float), RANDOM.integers(0, 2, 200).astype(float)
    assert f1(references, predictions) == pytest.approx(f1_score(references, predictions))
    assert correlation(references, predictions) == pytest.approx(matthews_corrcoef(references, predictions))
    ties = RANDOM.integers(0, 5, 200).astype(float)
    assert spearman(ties, predictions) == pytest.approx(spearmanr(ties, predictions).statistic)
    assert correlation(np.ones(5), np.arange(5.0)) == 0.0


def test_bootstraps_see_a_difference_and_none():
    references = RANDOM.integers(0, 2, 300).astype(float)
    good = np.where(RANDOM.random(300) < 0.9, references, 1 - references)
    poor = np.where(RANDOM.random(300) < 0.6, references, 1 - references)
    assert paired_bootstrap(references, good, poor, f1, resamples=300) < 0.05
    assert paired_bootstrap(references, good, good, f1, resamples=300) == 1.0
    groups = np.arange(300) % 7
    right = (good == references).astype(float), (poor == references).astype(float)
    assert grouped_bootstrap(*right, groups) < 0.05
    assert grouped_bootstrap(right[0], right[0], groups) == 1.0


def test_bleu_is_tested_by_sacrebleu():
    words = ["one two three four five six", "a b c d e f g", "red green blue white black"] * 20
    half = [text if at % 2 else "one a red" for at, text in enumerate(words)]
    assert bleu_bootstrap(words, words, half) < 0.05
    assert bleu_bootstrap(words, half, half) == 1.0


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(0, 100)), max_size=20))
def test_nothing_beats_the_pareto_front(points):
    front = pareto_front(points)
    for cost, score in points:
        assert any(c <= cost and s >= score for c, s in front)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(front))


def with_predictions(results, method, right, seed=0, *, total=200, training=None):
    """A cell that got the first `right` of `total` examples right."""
    record = make_record(method=method, seed=seed, scores={"accuracy": right / total}, training=training)
    path = save(results, record)[0]
    said = [1] * right + [0] * (total - right)
    content = {"references": {"validation": [1] * total}, "predictions": {"validation": said}}
    path.with_name("predictions.json").write_text(json.dumps(content))
    return path


def test_entries_that_differ_from_full_fine_tuning_are_marked_only_on_request(tmp_path):
    with_predictions(tmp_path, "full", 180)
    with_predictions(tmp_path, "lora", 179)
    with_predictions(tmp_path, "ia3", 120)
    save(tmp_path, make_record(method="bitfit"))
    plain = make_table(str(tmp_path), "miniature/glue", "glue")
    assert all(row.entries["sst2.accuracy"].p_value is None for row in plain.blocks[0].rows)
    table = make_table(str(tmp_path), "miniature/glue", "glue", Options(compare="full"))
    p_values = {row.method: row.entries["sst2.accuracy"].p_value for row in table.blocks[0].rows}
    assert p_values["full"] is None
    assert p_values["bitfit"] is None
    assert p_values["lora"] == 1.0
    assert p_values["ia3"] < 1e-10
    assert any("McNemar" in note for note in table.notes)
    assert any("1 score(s) not compared" in note for note in table.notes)


def test_a_metric_of_texts_that_has_no_test_is_not_compared_and_one_that_has_is(tmp_path):
    said = {"full": ["yes", "no", "so"], "lora": ["yes", "no", "no"]}
    for (method, words), right in zip(said.items(), (1.0, 2 / 3), strict=True):
        record = make_record("t5_base", "mine/words", method, scores={"ter": 0.5, "f1": 0.4, "accuracy": right},
                             experiment="runs")  # fmt: skip
        content = {"references": {"test": ["yes", "no", "so"]}, "predictions": {"test": words}}
        save(tmp_path, record)[0].with_name("predictions.json").write_text(json.dumps(content))
    (tmp_path / "table").mkdir()
    columns = "[{task: words, metrics: {ter: TER, f1: F1, accuracy: Acc}}]"
    (tmp_path / "table" / "mine.yaml").write_text(f"title: x\ncolumns: {columns}\n")
    table = make_table(str(tmp_path), "runs", "mine", Options(compare="full"), str(tmp_path))
    lora = next(row for row in table.blocks[0].rows if row.method == "lora")
    p_values = {key: entry.p_value for key, entry in lora.entries.items()}
    assert p_values == {"words.ter": None, "words.f1": None, "words.accuracy": 1.0}
    assert "1 score(s) not compared: there is no test for ter here" in table.notes
    assert any("f1 is not what is called so here" in note for note in table.notes)


def test_it_is_said_where_only_some_seeds_could_be_compared(tmp_path):
    with_predictions(tmp_path, "full", 180)
    for seed in range(3):
        with_predictions(tmp_path, "lora", 100, seed)
    table = make_table(str(tmp_path), "miniature/glue", "glue", Options(compare="full"))
    assert table.blocks[0].rows[1].entries["sst2.accuracy"].p_value < 0.05
    assert "1 score(s) compared on 1 of 3 seeds only, those that both have" in table.notes


def test_a_row_is_compared_with_the_baseline_of_its_own_settings_or_with_none(tmp_path):
    rates = {1e-3: 100, 1e-4: 190}
    for rate, right in rates.items():
        with_predictions(tmp_path, "full", right, training={"learning_rate": rate})
        with_predictions(tmp_path, "lora", 189, training={"learning_rate": rate})
    with_predictions(tmp_path, "ia3", 150)
    table = make_table(str(tmp_path), "miniature/glue", "glue", Options(compare="full"))
    p_values = {(row.method, row.variant): row.entries["sst2.accuracy"].p_value for row in table.blocks[0].rows}
    assert p_values["lora", "learning_rate=0.001"] < 1e-10
    assert p_values["lora", "learning_rate=0.0001"] == 1.0
    assert p_values["ia3", ""] is None
    assert "1 score(s) not compared: full has several rows, none of the same settings" in table.notes
    memory = make_table(str(tmp_path), "miniature/glue", "memory")
    saved = {(row.method, row.variant): row.entries["train_peak_below_full"].value for row in memory.blocks[0].rows}
    assert saved["lora", "learning_rate=0.001"] == 0.0
    assert saved["ia3", ""] is None
    assert any(note.startswith("Saved %: full has several rows for miniature/roberta") for note in memory.notes)


def test_damaged_predictions_and_unknown_methods_are_named(tmp_path, capsys):
    with_predictions(tmp_path, "full", 180)
    with_predictions(tmp_path, "lora", 179).with_name("predictions.json").write_text("{")
    table = make_table(str(tmp_path), "miniature/glue", "glue", Options(compare="full"))
    assert any("not compared: predictions of the same seed are missing" in note for note in table.notes)
    assert "predictions.json: damaged" in capsys.readouterr().err
    with pytest.raises(UserError, match="did you mean lora"):
        make_table(str(tmp_path), "miniature/glue", "glue", Options(compare="lorra"))


def test_intervals_are_shown_on_request(tmp_path):
    save(tmp_path, *(make_record(seed=seed, scores={"accuracy": 0.5 + seed / 10}) for seed in range(4)))
    table = make_table(str(tmp_path), "miniature/glue", "glue", Options(interval=True))
    low, high = table.blocks[0].rows[0].entries["sst2.accuracy"].interval
    assert 50 <= low < 65 < high <= 80
    with pytest.raises(UserError, match="level=2 must be between 0 and 1"):
        Options(level=2)
    with pytest.raises(UserError, match="unknown statistic 'mode'"):
        Options(statistic="mode")
