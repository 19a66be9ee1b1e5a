"""A value of Python's arrives in the cell as it is; nothing in a text is taken for grammar."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

import bench
from bench.api.words import choices_of, words_of
from bench.configuration.loader import parse

ODD = {
    "type": "LORA", "comma": "a,b", "reference": "${x}", "escaped": r"\${seed}", "path": "/data/run=1/x y",
    "none": None, "rate": 1e-4, "flag": True, "no": False, "word": "true", "null": "null", "number": "1e-4",
    "empty": "", "quotes": "'\"'", "list": ["a,b", 1, 2.0, None, [False]], "map": {"a.b": {"c d": "e:f"}},
    "lines": "a\nb", "slash": "a\\",
}  # fmt: skip


def test_odd_values_arrive_as_they_are_one_by_one_and_in_a_section():
    whole = bench.cell(method="peft/any", peft=ODD).cell.config["peft"]
    single = bench.cell(method="peft/any", **{f"peft.{key}": value for key, value in ODD.items()}).cell.config["peft"]
    assert whole == single == ODD
    assert [type(value) for value in whole.values()] == [type(value) for value in ODD.values()]
    assert whole["list"] == ODD["list"]
    assert isinstance(whole["list"][2], float)


@given(st.text())
@example("${")
@example(r"\\${a}\${b}\\")
def test_any_text_is_read_as_this_text(text):
    [override] = parse(words_of({"data.root": text}))
    read = OmegaConf.create({"text": override.value()})
    if text != "???":  # OmegaConf's own word for what is missing, refused when a cell is composed
        assert OmegaConf.to_container(read, resolve=True) == {"text": text}


def test_numbers_of_numpy_and_paths_are_taken_for_what_they_are(tmp_path):
    import numpy as np

    given = {"seed": np.int64(3), "training": {"learning_rate": np.float32(0.5), "compile": np.bool_(False)}}
    config = bench.cell(**given, results_dir=tmp_path).cell.config
    assert (config["seed"], config["training"]["learning_rate"], config["training"]["compile"]) == (3, 0.5, False)
    assert config["results_dir"] == str(tmp_path)


def test_a_list_has_the_values_of_several_cells_in_a_sweep_alone():
    assert choices_of({"method": ["lora", "a,b"], "seed": [1], "x": [[1, 2]]}) == [
        "method=lora,'a,b'", "seed=1", "x=[1,2]",
    ]  # fmt: skip
    with pytest.raises(bench.UserError, match="this one has none"):
        choices_of({"seed": []})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "bitfti"}, "unknown method 'bitfti'; did you mean bitfit"),
        ({"training": {"lr": 1}}, "unknown setting of training 'lr'"),
        ({"training.learning_rate": -1.0}, "training.learning_rate=-1.0 must be greater than 0"),
        ({"training.learning_rate": float("nan")}, "no setting can hold this value"),
        ({"seed": "many"}, "could not be converted to Integer"),
        ({"seed": [1, 2]}, "seed"),
        ({"data.root": b"x"}, "and no bytes"),
        ({"data.root": "???"}, "data.root"),
        ({"peft": {"x": {"é": 1}}}, "no setting can hold this value"),
        ({"seed=1 method": 2}, "is no name of a setting"),
        ({"method": None, "task": "glue/cola", "model": "miniature/t5", "training.batch_size": 0}, "batch_size=0 must"),
        ({"config_dir": "nowhere"}, "nowhere: no such folder"),
    ],
)
def test_a_mistake_is_a_user_error_of_one_line(settings, said):
    with pytest.raises(bench.UserError, match=said) as raised:
        bench.cell(**settings)
    assert "\n" not in str(raised.value)
