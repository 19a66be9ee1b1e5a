"""The rates that the package ships for the miniature are the best trials of equal searches, which lie beside them."""

import csv
import json
from pathlib import Path

import pytest
import yaml

CHOSEN = Path("configs/chosen/miniature")
GRID = yaml.safe_load(Path("configs/experiment/miniature/rates.yaml").read_text())["grid"]


def several(value):
    return [value] if isinstance(value, str) else value


CELLS = [
    (model, task, method)
    for row in GRID
    for model in several(row["model"])
    for task in several(row["task"])
    for method in several(row["method"])
]


@pytest.fixture(scope="module")
def trials():
    with (CHOSEN / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("model", "task", "method"), CELLS)
def test_each_is_the_best_of_as_many_trials(trials, model, task, method):
    found = [one for one in trials if (one["model"], one["task"], one["method"]) == (model, task, method)]
    assert len(found) == 8
    best = max(found, key=lambda one: float(one["score"] or "-inf"))
    shipped = yaml.safe_load((CHOSEN.parent / model / task / f"{method}.yaml").read_text())["training"]
    assert shipped["learning_rate"] == json.loads(best["parameters"])["training.learning_rate"]
    assert (shipped["chosen_by"]["on"], shipped["chosen_by"]["trials"]) == ("selection", 8)
    assert shipped["chosen_by"]["seeds"] == [1000], "no seed of a table's"
    assert shipped["chosen_by"]["values"] == json.loads(best["parameters"])
    assert shipped["chosen_by"]["under"]["training.epochs"] > 0


def test_there_are_no_others():
    there = {str(path.relative_to(CHOSEN.parent).with_suffix("")) for path in CHOSEN.rglob("*.yaml")}
    assert there == {f"{model}/{task}/{method}" for model, task, method in CELLS}
