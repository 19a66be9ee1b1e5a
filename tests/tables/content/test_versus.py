"""`bench compare` on made-up records: differences, ties, and what is refused."""

import csv
import io
import json

import numpy as np
import pytest

from bench.cli.commands import run_command
from tests.tables.made_records import make_record, save

TASKS = {"miniature/cola": "matthews_correlation", "miniature/sst2": "accuracy", "miniature/rte": "accuracy"}
GAINS = {"full": 0.0, "lora": 0.0005, "bitfit": -0.1}


@pytest.fixture
def results(tmp_path):
    """Five seeds of three methods: lora as good as full, bitfit ten points below."""
    random = np.random.default_rng(0)
    save(tmp_path, *(
        make_record(task=task, method=method, seed=seed, scores={metric: 0.8 + gain + random.normal(0, 0.004)})
        for method, gain in GAINS.items() for seed in range(5) for task, metric in TASKS.items()
    ))  # fmt: skip
    return tmp_path


def compared(capsys, results, *words):
    assert run_command(["compare", "experiment=miniature/glue", f"results_dir={results}", *words]) == 0
    return capsys.readouterr().out


def test_equal_methods_share_a_letter_and_a_worse_one_does_not(results, capsys):
    (found,) = json.loads(compared(capsys, results, "format=json"))["comparisons"]
    by_name = {one["method"]: one for one in found["standings"]}
    assert found["against"] == "full"
    assert by_name["full"]["letters"] == by_name["lora"]["letters"] == "a"
    assert by_name["bitfit"]["letters"] == "b"
    difference = by_name["bitfit"]["against"]
    assert difference["value"] == pytest.approx(-10, abs=1)
    assert difference["interval"][0] < difference["value"] < difference["interval"][1]
    assert difference["seeds"] == 5
    assert difference["p_value"] <= difference["corrected"] < 0.05
    assert by_name["bitfit"]["improvement"] == 0
    assert [one["method"] for one in found["standings"]][-1] == "bitfit", "best first"
    assert set(by_name["bitfit"]["tasks"]) == set(found["tasks"])
    assert len(found["tasks"]) == 3
    assert "9 comparisons, all corrected together" in found["notes"][0], "3 pairs, and 2 methods on 3 tasks"


def test_against_whom_is_the_users_choice(results, capsys):
    words = compared(capsys, results, "against=bitfit")
    assert "− bitfit" in words
    assert "+10." in words or "+9." in words
    assert "no average ranks: they take 10 tasks" in " ".join(words.split())


def test_the_same_figures_in_every_format(results, capsys, tmp_path):
    (found,) = json.loads(compared(capsys, results, "format=json"))["comparisons"]
    value = next(one["against"]["value"] for one in found["standings"] if one["method"] == "bitfit")
    markdown = compared(capsys, results, "format=markdown")
    assert f"{value:.2f}".lstrip("-") in markdown
    rows = list(csv.DictReader(io.StringIO(compared(capsys, results, "format=csv"))))
    assert [float(row["difference"]) for row in rows if row["method"] == "bitfit" and not row["task"]] == [value]
    assert len(rows) == 3 + 2 * 3
    assert "written" in compared(capsys, results, "format=csv", f"out={tmp_path / 'out'}")
    assert list((tmp_path / "out").glob("*.csv"))


def test_one_seed_tells_nothing_and_is_said_to(tmp_path, capsys):
    save(tmp_path, *(make_record(method=method, scores={"accuracy": 0.8 + gain}) for method, gain in GAINS.items()))
    (found,) = json.loads(compared(capsys, tmp_path, "format=json"))["comparisons"]
    assert not any(one["letters"] for one in found["standings"])
    assert "nothing is tested" in found["notes"][0]


def test_seeds_are_paired_and_only_those_that_both_have(tmp_path, capsys):
    """Every seed shifts both methods alike: the difference is the same to a hair, and clear."""
    shifts = np.random.default_rng(1).normal(0, 0.05, 6)
    save(tmp_path, *(
        make_record(method=method, seed=seed, scores={"accuracy": 0.7 + shifts[seed] + gain + seed * 1e-5 * gain})
        for method, gain, seeds in (("full", 0.0, range(6)), ("lora", 0.02, range(1, 5))) for seed in seeds
    ))  # fmt: skip
    (found,) = json.loads(compared(capsys, tmp_path, "format=json"))["comparisons"]
    best, worst = found["standings"] if found["standings"][0]["method"] == "lora" else found["standings"][::-1]
    assert best["against"]["seeds"] == 4
    assert best["against"]["value"] == pytest.approx(2, abs=0.01)
    assert (best["letters"], worst["letters"]) in (("a", "b"), ("b", "a"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("against=lorra",), "did you mean lora?"),
        (("format=pdf",), "unknown format 'pdf'"),
        (("level=2",), "level=2"),
        (("out=x",), "needs a format"),
        (("experiment=miniature/nothing",), "miniature/nothing"),
        (("bogus=1",), "bogus"),
    ],
)
def test_mistakes_are_one_line(results, capsys, words, message):
    given = ["compare", "experiment=miniature/glue", f"results_dir={results}", *words]
    assert run_command(given) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert len(said.splitlines()) == 1


def test_a_method_alone_has_nothing_to_be_compared_with(tmp_path, capsys):
    save(tmp_path, *(make_record(method="lora", seed=seed, scores={"accuracy": 0.8}) for seed in range(3)))
    assert run_command(["compare", "experiment=miniature/glue", f"results_dir={tmp_path}", "against=lora"]) == 2
    assert "of another method" in capsys.readouterr().err
