"""What a caption says of how the cells were trained."""

import json

import pandas as pd

from bench.tables.definition.settings import settings_note


def note(*cells):
    return settings_note(pd.Series([json.dumps(cell) for cell in cells]))


def test_types_and_optimisers_are_named_where_they_are_not_the_usual_ones():
    usual = {"training": {"precision": "fp32", "optimiser": None}, "model": {"dtype": "float32"}}
    low = {"training": {"precision": "bf16", "optimiser": "lion"}, "model": {"dtype": "bfloat16"}}
    before = {"training": {"precision": "fp32"}, "model": {}}  # records that know no such settings
    assert note(usual, before) == "settings: precision fp32"
    assert note(usual, low) == (
        "settings: precision bf16 or fp32, frozen base in float32 or bfloat16, optimiser lion or the method's"
    )


def test_how_many_solved_questions_stand_in_front_is_said_of_every_table_of_them():
    none, five = ({"training": {"precision": "fp32"}, "task": {"shots": shots}} for shots in (0, 5))
    assert note(none) == "settings: precision fp32, solved questions in front of each 0"
    assert note(none, five).endswith("solved questions in front of each 0 to 5")
