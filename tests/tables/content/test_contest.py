"""`bench compare` on made-up records whose truth is known."""

import csv
import io
import itertools
import json

import numpy as np
import pytest

from bench.cli.commands import run_command
from bench.tables.contest import make_contest, write_contest
from bench.tables.formats.contest import to_csv, to_json, to_markdown, to_text
from tests.tables.made_records import make_record, save

EXPERIMENT = "miniature/glue"


def made(results, truth, tasks=("a", "b", "c"), *, seeds=3, noise=0.004, metric="accuracy"):
    """Records of methods of known scores; each seed is luckier or not for all methods, and each method a bit more."""
    random = np.random.default_rng(4)
    for task, seed in itertools.product(tasks, range(seeds)):
        luck = random.normal(0, 0.03)
        for method, score in truth.items():
            value = float(score + luck + random.normal(0, noise))
            save(results, make_record(task=f"miniature/{task}", method=method, seed=seed, scores={metric: value}))


def with_items(results, rights, references=None):
    """Records of one task whose predictions lie beside them: `rights` says by method and seed which items are right."""
    for method, by_seed in rights.items():
        for seed, right in enumerate(by_seed):
            wanted = [1] * len(right) if references is None else references
            said = [want if good else 1 - want for want, good in zip(wanted, right, strict=True)]
            record = make_record(method=method, seed=seed, scores={"accuracy": float(np.mean(right))})
            (path,) = save(results, record)
            path.with_name("predictions.json").write_text(
                json.dumps({"references": {"test": wanted}, "predictions": {"test": said}})
            )


def tied(contest, task=0):
    return {one.method: one.letters for one in contest.tasks[task].standings}


def test_a_real_difference_is_found_and_equals_share_a_letter(tmp_path):
    made(tmp_path, {"full": 0.9, "lora": 0.9, "ia3": 0.6}, seeds=5)
    found = make_contest(str(tmp_path), EXPERIMENT, "lora")
    for task in found.tasks:
        by_method = {one.method: one for one in task.standings}
        assert task.standings[-1].method == "ia3"
        assert (by_method["full"].letters, by_method["lora"].letters, by_method["ia3"].letters) == ("a", "a", "b")
        low, high = by_method["ia3"].bootstrap
        assert low <= by_method["ia3"].difference <= high < 0
    assert found.comparisons == 9
    assert "Holm's correction over all 9 comparisons" in " ".join(found.notes)
    over = found.overall[0]
    assert over.methods[-1].method == "ia3"
    assert over.methods[-1].improvement == 0.0
    assert any("3 tasks" in note and "below 10" in note for note in found.notes)


def test_of_an_error_the_lowest_is_first_and_no_mean_over_tasks_has_it(tmp_path):
    made(tmp_path, {"lora": 0.9, "ia3": 0.6}, seeds=5, metric="rmse")
    found = make_contest(str(tmp_path), EXPERIMENT, "lora")
    assert [one.method for one in found.tasks[0].standings] == ["ia3", "lora"]
    assert found.overall == []


def test_one_seed_without_items_has_no_letters_and_says_why(tmp_path):
    made(tmp_path, {"lora": 0.9, "ia3": 0.6}, seeds=1)
    found = make_contest(str(tmp_path), EXPERIMENT, "lora")
    assert set(tied(found).values()) == {""}
    assert found.comparisons == 0
    assert any("without a test" in note for note in found.notes)


def test_one_seed_is_tested_by_its_items(tmp_path):
    random = np.random.default_rng(0)
    good, poor = random.random(400) < 0.9, random.random(400) < 0.6
    with_items(tmp_path, {"lora": [good], "ia3": [poor]})
    found = make_contest(str(tmp_path), EXPERIMENT, "lora")
    assert tied(found) == {"lora": "a", "ia3": "b"}
    assert found.tasks[0].standings[1].unit == "items"
    assert found.tasks[0].standings[1].difference == pytest.approx(100 * (poor.mean() - good.mean()))


def test_the_same_single_item_on_every_seed_is_no_difference(tmp_path):
    all_right = np.ones(100, dtype=bool)
    one_less = all_right.copy()
    one_less[7] = False
    with_items(tmp_path, {"lora": [all_right] * 3, "ia3": [one_less] * 3})
    found = make_contest(str(tmp_path), EXPERIMENT, "lora")
    assert found.tasks[0].standings[1].unit == "seeds and items"
    assert tied(found) == {"lora": "a", "ia3": "a"}


def test_items_of_other_data_are_not_paired(tmp_path):
    rights = [np.arange(50) < at for at in (40, 41, 42)]
    with_items(tmp_path, {"lora": rights})
    with_items(tmp_path, {"ia3": rights}, references=[0] * 25 + [1] * 25)
    assert make_contest(str(tmp_path), EXPERIMENT, "lora").tasks[0].standings[1].unit in ("seeds", "")


def test_from_ten_tasks_on_ranks_are_compared_and_drawn(tmp_path):
    made(tmp_path / "r", {"full": 0.9, "lora": 0.8, "ia3": 0.6}, tasks=[f"t{at}" for at in range(10)])
    found = make_contest(str(tmp_path / "r"), EXPERIMENT, "lora")
    assert [one.rank for one in found.overall[0].methods] == [1, 2, 3]
    assert found.overall[0].friedman < 0.001
    assert found.comparisons == 33  # three pairs on each task, and over tasks
    paths = write_contest(found, "json", str(tmp_path / "out"))
    assert [path.name.removeprefix("miniature-glue-compare-lora.") for path in paths] == [
        "json", *(f"{kind}1.{suffix}" for kind in ("profile", "ranks") for suffix in ("pdf", "svg", "png")),
    ]  # fmt: skip
    assert all(path.stat().st_size for path in paths)
    assert "runs" not in paths[0].read_text()
    for name in ("full", "lora", "ia3"):
        assert all(name in path.read_text() for path in paths if path.suffix == ".svg")


def test_below_ten_tasks_the_profile_alone_is_drawn_and_of_one_task_nothing(tmp_path):
    made(tmp_path / "r", {"full": 0.9, "lora": 0.8}, tasks=("a", "b"))
    found = make_contest(str(tmp_path / "r"), EXPERIMENT, "lora")
    assert {path.suffixes[0] for path in write_contest(found, "csv", str(tmp_path / "out"))} == {".csv", ".profile1"}
    made(tmp_path / "one", {"full": 0.9, "lora": 0.8}, tasks=("a",))
    found = make_contest(str(tmp_path / "one"), EXPERIMENT, "lora")
    assert [path.suffix for path in write_contest(found, "csv", str(tmp_path / "out1"))] == [".csv"]


def test_every_format_says_the_same(tmp_path):
    made(tmp_path, {"full": 0.9, "lora": 0.9, "ia3": 0.6}, seeds=5)
    found = make_contest(str(tmp_path), EXPERIMENT, "lora")
    told = json.loads(to_json(found))
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert [(row["method"], row["tied"]) for row in rows] == [
        (one["method"], one["letters"]) for task in told["tasks"] for one in task["methods"]
    ]
    for text in (to_text(found), to_markdown(found)):
        assert "9 comparisons" in text
        assert "IQM" in text
    assert to_text(found) == to_text(make_contest(str(tmp_path), EXPERIMENT, "lora"))


def refused(capsys, *words):
    assert run_command(["compare", *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


def test_bad_input_is_refused_in_one_line(tmp_path, capsys):
    here = f"results_dir={tmp_path}"
    assert "name the experiment" in refused(capsys)
    assert "make some with" in refused(capsys, f"experiment={EXPERIMENT}", here)
    save(tmp_path, make_record(method="lora"))
    assert "takes two methods" in refused(capsys, f"experiment={EXPERIMENT}", here)
    save(tmp_path, make_record(method="ia3", seed=0))
    assert "lora" in refused(capsys, f"experiment={EXPERIMENT}", here, "against=lorra")
    assert "format" in refused(capsys, f"experiment={EXPERIMENT}", here, "format=pdf")
    (tmp_path / "file").touch()
    assert "cannot write" in refused(capsys, f"experiment={EXPERIMENT}", here, f"out={tmp_path}/file")


def test_cells_of_different_settings_are_not_one_method(tmp_path, capsys):
    save(tmp_path, make_record(method="lora"), make_record(method="ia3"))
    save(tmp_path, make_record(method="ia3", seed=1, training={"epochs": 9.0}))
    assert "different settings or data (epochs=" in refused(
        capsys, f"experiment={EXPERIMENT}", f"results_dir={tmp_path}"
    )


def test_methods_without_a_task_in_common_are_not_compared(tmp_path, capsys):
    save(tmp_path, make_record(method="lora"), make_record(method="ia3", task="miniature/cola"))
    assert "nothing to compare" in refused(capsys, f"experiment={EXPERIMENT}", f"results_dir={tmp_path}")
