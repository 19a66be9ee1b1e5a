"""A choice is of certain values, made in trials with certain settings: another cell is not taken for the chosen one."""

import json

import pytest

from bench.configuration.compose import Configurations
from bench.errors import UserError

STUDY = {"study": "mine", "trial": 3, "on": "selection", "trials": 8}
CELL = ["model=miniature/roberta", "task=miniature/sst2", "method=lora"]


@pytest.fixture
def compose(tmp_path):
    """Compose the cell with a choice of rate 0.01, made in trials of these settings, and overrides."""

    def composed(under, *overrides, values=None):
        told = (
            STUDY | {"values": values or {"training.learning_rate": 0.01}} | ({} if under is None else {"under": under})
        )
        path = tmp_path / "chosen" / "miniature" / "roberta" / "miniature" / "sst2" / "lora.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        training = json.dumps({"learning_rate": 0.01, "chosen_by": told})
        path.write_text(f"# @package _global_\ntraining: {training}\n")
        with Configurations(str(tmp_path)) as configurations:
            return configurations.cell([*CELL, *overrides])

    return composed


@pytest.fixture(scope="module")
def under():
    """What the shipped choice was made under, as its file has it."""
    from bench.configuration.choice import circumstances

    with Configurations() as configurations:
        return circumstances(configurations.cell([*CELL, "chosen=_none"]).config, ["training.learning_rate"])


def told(cell):
    return cell.config["training"]["chosen_by"]


def test_as_in_the_trials_the_choice_holds_and_is_told_shortly(compose, under):
    assert told(compose(under)) == STUDY
    assert told(compose(under, "training.learning_rate=0.01")) == STUDY, "the same value by hand"
    assert told(compose(under, "seed=7", "training.log_every=3", "results_dir=elsewhere")) == STUDY


def test_another_value_is_no_longer_the_chosen_one(compose, under):
    """A rate by hand beside a study's name: a row that looks tuned and is not."""
    assert told(compose(under, "training.learning_rate=0.02")) == {}


@pytest.mark.parametrize(
    ("overrides", "other"),
    [
        (["training.epochs=4"], {"training.epochs": [2.0, 4.0]}),
        (["task.answer=text"], {"task.answer": [None, "text"]}),
        (["method.r=4", "method.alpha=8"], {"method.alpha": [2, 8], "method.r": [1, 4]}),
        (["+method.budget=300k"], {"method.budget": [None, "300k"]}),
        (["data.limit_train=64"], {"data.limit_train": [None, 64]}),
        (["model.weights=random"], {"model.weights": ["pretrained", "random"]}),
    ],
)
def test_other_settings_than_the_trials_are_named(compose, under, overrides, other):
    found = compose(under, *overrides)
    assert told(found) == STUDY | {"elsewhere": other}


def test_who_chose_and_for_what_makes_no_other_cell(compose, under):
    assert compose(under).id == compose({}).id == compose(None).id


@pytest.mark.parametrize("part", ["values", "under"])
def test_what_is_no_mapping_is_refused_in_a_line(compose, part):
    given = {"under": 3} if part == "under" else {"under": {}, "values": "all"}
    with pytest.raises(UserError, match=f"training.chosen_by.{part}=.* must be a mapping of settings to values"):
        compose(**given)


def test_a_file_that_says_nothing_of_them_is_taken_at_its_word(tmp_path, compose):
    assert told(compose(None)) == STUDY
