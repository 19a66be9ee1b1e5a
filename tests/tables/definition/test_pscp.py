"""PEFT-Bench's score: the authors' own figures, what has none, and constants that cannot be."""

import pandas as pd
import pytest

from bench.errors import UserError
from bench.tables.definition.options import Options
from bench.tables.definition.pscp import Constants, pscp, pscp_of

# What the authors' script prints for their table (scripts/peftbench/cal_psqp.py of PEFT-Factory at ff2e819a), of
# LLaMA-3-8B: score, trainable parameters, TFLOP beyond the base's 8.38, GB, and PSCP with all exponents 2.
THEIRS = {
    "ia3": (74.7, 196608, 8.69 - 8.38, 28.41, 41.41),
    "prompt-tuning": (50, 409600, 10.05 - 8.38, 42.47, 17.39),
    "prefix-tuning": (45.9, 34177536, 8.39 - 8.38, 27.61, 23.98),
    "p-tuning": (51.7, 53130752, 10.06 - 8.38, 34.53, 16.56),
    "lora": (80.1, 14680064, 0.0, 27.75, 45.06),
    "lntuning": (77.8, 266240, 0.0, 27.43, 46.57),
    "bitfit": (75.3, 163840, 0.0, 27.20, 45.26),
}


def columns(rows: list[tuple[float, ...]]) -> list[pd.Series]:
    score, parameters, operations, memory = (pd.Series(values, dtype=float) for values in zip(*rows, strict=True))
    return [score, parameters, operations * 1e12, memory * 1e9]


def test_the_formula_gives_the_authors_figures():
    squared = Constants(beta_parameters=2, beta_operations=2, beta_memory=2)
    found = pscp(*columns([row[:4] for row in THEIRS.values()]), squared).round(2)
    assert found.tolist() == [row[4] for row in THEIRS.values()]


def test_the_exponents_weigh_each_cost_by_itself():
    halved = Constants(beta_parameters=0.5)  # the script's first set
    rows = [THEIRS[name][:4] for name in ("ia3", "prompt-tuning", "prefix-tuning")]
    assert pscp(*columns(rows), halved).round(2).tolist() == [55.63, 29.50, 34.29]
    free = Constants(beta_parameters=0, beta_operations=0, beta_memory=0)
    assert pscp(*columns(rows), free).tolist() == [74.7, 50, 45.9]


@pytest.mark.parametrize(
    ("main", "value", "operations", "expected"),
    [
        ("accuracy", 0.8, 0.0, 80.0),
        ("bleu", 30.0, 0.0, 30.0),
        ("rmse", 0.2, 0.0, None),  # lower is better
        ("matthews_correlation", -0.1, 0.0, None),  # a cost would make it better
        ("accuracy", None, 0.0, None),
        ("accuracy", 0.8, None, None),  # not measured
    ],
)
def test_what_a_cell_has_and_what_has_none(main, value, operations, expected):
    cells = pd.DataFrame(
        {"main": [main], "about": ["{}"], "metrics": [{main: value}], "trainable": [0], "train_peak": [0]}
    ).assign(extra_operations=[operations])
    (found,) = pscp_of(cells, Constants())
    assert pd.isna(found) if expected is None else found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"pscp.memory": "0"}, "pscp.memory=0.0 must be greater than 0, finite"),
        ({"pscp.parameters": "many"}, "pscp.parameters=many must be a number"),
        ({"pscp.beta_memory": "-1"}, "pscp.beta_memory=-1.0 must be 0 or more, finite"),
        ({"columns": "train_peek"}, "unknown column 'train_peek'; did you mean train_peak"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(words, told):
    with pytest.raises(UserError) as error:
        Options.of(words)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_the_command_repeats_what_was_asked_for():
    asked = Options.of({"columns": "pscp,forgetting,pscp", "pscp.memory": "24e9"})
    assert asked.words() == ["columns=pscp,forgetting", "pscp.memory=2.4e+10"]
    assert Options.of(dict(word.split("=") for word in asked.words())) == asked
