"""A truth that is planted: where the best rate is, and that two methods are equally good at their best."""

import csv
import math

import pytest
import yaml

from tests.tuning.stub import hill


def chosen_rate(folder, method):
    (path,) = folder.rglob(f"{method}.yaml")
    return float(yaml.safe_load(path.read_text())["training"]["learning_rate"])


@pytest.mark.parametrize("sampler", ["qmc", "tpe"])
@pytest.mark.parametrize("best", [3e-5, 1e-4, 7e-4, 3e-3])
def test_sixteen_trials_find_the_best_rate_within_half_a_decade(tune, tmp_path, best, sampler):
    result = tune(lambda cell: hill(cell, best), "method=lora", f"sampler={sampler}", "out=chosen")
    assert result.returncode == 0, result.stderr
    found = chosen_rate(tmp_path / "chosen", "lora")
    assert abs(math.log10(found / best)) < 0.5
    assert ("the space is too small" in result.stdout) == (found < 1e-5 * 10 ** (3 / 8) or found > 1e-2 / 10 ** (3 / 8))


def test_a_best_rate_beyond_the_space_is_told(tune):
    result = tune(lambda cell: hill(cell, 1e-1), "method=lora")
    assert "lies at the upper end of learning_rate 1e-05…0.01: the space is too small" in result.stdout


def test_a_rigged_baseline_is_beaten_before_tuning_only(tune, compose, tmp_path):
    """Both reach the same score; the default rate of full fine-tuning is ten times too low, LoRA's is right."""
    words = ("model=miniature/roberta", "task=miniature/sst2")
    default = {name: compose(*words, f"method={name}") for name in ("full", "lora")}
    rates = {name: cell.config["training"]["learning_rate"] for name, cell in default.items()}
    best = {"full": rates["full"] * 10, "lora": rates["lora"]}
    before = {name: hill(cell, best[name]) for name, cell in default.items()}
    assert before["lora"] - before["full"] > 0.08
    width = "method.search={learning_rate: [" + f"{rates['full'] / 10},{rates['full'] * 100}" + "]}"
    spaces = {"full": [f"+{width}"], "lora": []}
    for name, space in spaces.items():
        tune(lambda cell: hill(cell, best[cell.method]), f"method={name}", f"out={name}", *space)
    after = {name: float(rows(tmp_path / name / "expected.csv")[-1]["expected_best"]) for name in default}
    assert abs(after["lora"] - after["full"]) < 0.02
    first = float(rows(tmp_path / "full" / "expected.csv")[0]["expected_best"])
    assert after["full"] - first > 0.05, "what tuning has bought"


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))
