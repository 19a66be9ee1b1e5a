"""Marks, averages, tests and figures follow what the records say of their metrics."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.records.columns import read_columns
from bench.tables import Options, Table, make_table
from bench.tables.figures.plots import score_against_parameters
from bench.tables.statistics.pareto import pareto_front
from tests.tables.made_records import make_record, save

LOWER = {"better": "lower", "low": 0.0, "high": None, "averaged": False, "assumed": False}
HIGHER = {"better": "higher", "low": 0.0, "high": 1.0, "averaged": True, "assumed": False}


def saved(
    results: Path, method: str, scores: dict[str, float], about: dict[str, Any] | None = None, **told: Any
) -> Path:
    record = make_record(
        "roberta_base", told.pop("task", "mine/task"), method, scores=scores, experiment="runs", **told
    )
    assert record.metrics is not None
    record.metrics.about = about or {}
    return save(results, record)[0]


def table_of(results: Path, **options: Any) -> Table:
    return make_table(str(results), "runs", "scores", Options(**options))


def marks(table: Table, key: str) -> dict[str, int | None]:
    return {row.method: row.entries[key].rank for block in table.blocks for row in block.rows}


@pytest.mark.parametrize(
    ("metric", "about", "first"),
    [
        ("rmse", {}, "lora"),  # a record of before: its name tells
        ("score", {"score": LOWER}, "lora"),
        ("rmse", {"rmse": HIGHER}, "full"),
        ("accuracy", {}, "full"),
    ],
)
def test_the_best_mark_goes_to_the_better_one(metric: str, about: dict[str, Any], first: str, tmp_path: Path) -> None:
    for method, value in (("full", 0.9), ("lora", 0.3), ("ia3", 0.5)):
        saved(tmp_path, method, {metric: value}, about)
    table = table_of(tmp_path)
    other = {"full": "lora", "lora": "full"}[first]
    assert marks(table, f"task.{metric}") == {first: 1, "ia3": 2, other: None}
    told = f"lower is better: mine/task ({metric})"
    assert (told in table.notes) is (first == "lora")


def test_an_error_is_averaged_with_nothing(tmp_path: Path) -> None:
    for method in ("full", "lora"):
        saved(tmp_path, method, {"accuracy": 0.5}, task="mine/a")
        saved(tmp_path, method, {"accuracy": 0.7}, task="mine/b")
        saved(tmp_path, method, {"rmse": 9.0}, task="mine/c")
    table = table_of(tmp_path)
    assert table.columns[-1].title == "Avg. (2)"
    assert [row.entries["average"].value for row in table.blocks[0].rows] == [pytest.approx(60)] * 2
    assert any(note.startswith("not in the averages") and "mine/c (rmse)" in note for note in table.notes)


def test_of_one_metric_that_may_be_averaged_there_is_no_average(tmp_path: Path) -> None:
    saved(tmp_path, "full", {"accuracy": 0.5}, task="mine/a")
    saved(tmp_path, "full", {"rmse": 9.0}, task="mine/c")
    assert "average" not in {column.key for column in table_of(tmp_path).columns}


def test_a_metric_that_nobody_knows_is_marked_above_and_the_table_says_so(tmp_path: Path) -> None:
    for method, value in (("full", 0.9), ("lora", 0.3)):
        saved(tmp_path, method, {"quality": value})
    table = table_of(tmp_path)
    assert marks(table, "task.quality") == {"full": 1, "lora": 2}
    assert any("higher is taken for better" in note for note in table.notes)


def predicting(results: Path, method: str, said: list[Any], wanted: list[Any], scores: dict[str, float]) -> None:
    path = saved(results, method, scores)
    content = {"references": {"test": wanted}, "predictions": {"test": said}}
    path.with_name("predictions.json").write_text(json.dumps(content))


def test_a_metric_that_only_shares_a_name_is_not_tested_as_the_one_of_that_name(tmp_path: Path) -> None:
    """F1 over three labels, where label 1 alone is told apart equally well."""
    wanted = [at % 3 for at in range(120)]
    predicting(tmp_path, "full", wanted, wanted, {"f1": 1.0})
    predicting(tmp_path, "lora", [2 - label for label in wanted], wanted, {"f1": 1 / 3})
    table = table_of(tmp_path, compare="full")
    assert all(row.entries["task.f1"].p_value is None for row in table.blocks[0].rows)
    assert "one seed: best is the largest number, no test" in table.notes


def test_the_f1_of_two_labels_and_an_error_are_tested(tmp_path: Path) -> None:
    wanted = [at % 2 for at in range(120)]
    half = [label if at % 4 < 2 else 1 - label for at, label in enumerate(wanted)]
    predicting(tmp_path, "full", wanted, wanted, {"f1": 1.0, "mae": 0.0})
    predicting(tmp_path, "lora", half, wanted, {"f1": 0.5, "mae": 0.5})
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "mine.yaml").write_text(
        "title: x\ncolumns: [{task: task, metrics: {f1: F1, mae: MAE}}]\n", encoding="utf-8"
    )
    table = make_table(str(tmp_path), "runs", "mine", Options(compare="full"), str(tmp_path))
    [lora] = [row for row in table.blocks[0].rows if row.method == "lora"]
    assert lora.entries["task.f1"].p_value < 0.01
    assert lora.entries["task.mae"].p_value < 0.01


def test_translations_are_tested_with_the_words_of_their_record(tmp_path: Path) -> None:
    from bench.evaluation.translation_metric import translation_score, translation_signatures

    wanted = [
        "今天天气很好我们去公园散步",
        "他昨天在图书馆看了一本书",
        "这个城市的人口超过一百万",
        "请把门关上外面很冷",
    ]
    for method, said in (("full", wanted), ("lora", [f"{text[:-3]}一二三" for text in wanted])):
        scores = {"bleu": translation_score("bleu", [wanted], said, "zh")}
        record = make_record("t5_base", "mine/zh", method, scores=scores, experiment="runs")
        assert record.metrics is not None
        record.metrics.notes["sacrebleu"] = translation_signatures("zh")
        content = {"references": {"test": wanted}, "predictions": {"test": said}}
        save(tmp_path, record)[0].with_name("predictions.json").write_text(json.dumps(content))
    table = table_of(tmp_path, compare="full")
    [lora] = [row for row in table.blocks[0].rows if row.method == "lora"]
    assert lora.entries["zh.bleu"].p_value is not None


def test_the_best_of_a_curve_is_the_lowest_error(tmp_path: Path) -> None:
    curve = [(1, 3.0), (2, 1.0), (3, 2.0)]
    paths = [str(saved(tmp_path, method, {metric: 2.0}, curve=curve)) for method, metric in
             (("full", "rmse"), ("lora", "accuracy"))]  # fmt: skip
    columns = read_columns(paths)
    assert columns["curve_best"].to_pylist() == [1.0, 3.0]
    assert columns["curve_best_step"].to_pylist() == [2, 1]
    table = make_table(str(tmp_path), "runs", "curve")
    assert next(column for column in table.columns if column.key == "curve_best").better in {"none", "lower"}


def test_the_pareto_front_of_errors_lies_below() -> None:
    points = [(1.0, 5.0), (2.0, 7.0), (3.0, 2.0), (4.0, 1.0)]
    assert pareto_front(points, higher=False) == [(1.0, 5.0), (3.0, 2.0), (4.0, 1.0)]
    assert pareto_front(points) == [(1.0, 5.0), (2.0, 7.0)]


def test_the_figure_of_an_error_says_which_way_is_better(tmp_path: Path) -> None:
    for number, (method, value) in enumerate((("full", 0.9), ("lora", 0.3))):
        saved(tmp_path, method, {"rmse": value}, trainable=1000 * (number + 1))
    table = table_of(tmp_path)
    figure = score_against_parameters(table, table.blocks[0])
    assert figure is not None
    assert "lower is better" in figure.axes[0].get_ylabel()
