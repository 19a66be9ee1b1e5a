"""What a cell was made of stands in its record."""

import pytest

from bench.running.runner import run_cell
from tests.cells import MODELS, SHORT, TASKS


@pytest.mark.parametrize("family", MODELS)
def test_a_record_has_fingerprints_of_all_that_was_read(compose, family):
    cell = compose(f"model={MODELS[family]}", f"task={TASKS[family]}", "memory_split=false", *SHORT)
    found = run_cell(cell)[0].fingerprints
    assert found["weights"]["source"] == "shipped"
    assert found["configuration"]
    assert found["tokenizer"]
    splits = {
        "encoder": {"nyu-mll/glue/sst2": ("train", "validation")},
        "encoder_decoder": {"wmt/wmt16/ro-en": ("train", "validation", "test")},
        "decoder": {"tatsu-lab/alpaca": ("train",), "cais/mmlu/all": ("dev", "validation", "test")},
    }[family]
    assert set(found["data"]) == {f"{name}/{split}" for name, names in splits.items() for split in names}
    assert all(one["digest"] and one["generator"] for one in found["data"].values())
    assert found["classes"] == {}
    assert found["libraries"].keys() >= {"bench", "torch", "transformers", "peft"}
    assert "harness" in found


def test_synthetic_data_and_random_weights_leave_what_they_depend_on(compose):
    wanted = ("data.synthetic=true", "model.weights=random", "memory_split=false", "data.limit_train=8", *SHORT)
    found = run_cell(compose(*(word for word in wanted if word != "data.limit_train=96")))[0].fingerprints
    assert found["weights"]["source"] == "random"
    assert found["tokenizer"] is None
    assert found["data"] == {}
