"""What a task head starts from, and what is told of it: in the record, and on the terminal where it may surprise."""

import json
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file

from bench.configuration.compose import build
from bench.errors import UserError
from bench.metering.parameters import plan_parameters
from bench.methods.base import Method
from bench.miniature.backbones import backbone_path
from bench.models.head import Head
from bench.records.schema import Status
from bench.running.runner import run_cell
from tests.cells import SHORT, TASKS, trained_file
from tests.tiny import tiny_config

STILL = ("training.learning_rate=1e-30", "training.weight_decay=0", "training.max_steps=1")


@pytest.fixture
def cell_on(tmp_path, compose):
    """Compose a cell on a tiny encoder of this kind that reads the miniature's texts."""
    folder = tmp_path / "model"

    def make(kind, auto, *overrides, **changes):
        reader = backbone_path("roberta")
        read = json.loads((reader / "config.json").read_text())
        changes |= {key: read[key] for key in read if key == "vocab_size" or key.endswith("_token_id")}
        changes |= {"model_type": kind, "max_position_embeddings": 258}
        torch.manual_seed(3)
        auto.from_config(tiny_config("encoder", **changes)).save_pretrained(folder)
        for file in reader.glob("tokenizer*"):
            shutil.copy(file, folder)
        settings = (f"model.path={folder}", f"task={TASKS['encoder']}", *SHORT, *STILL, "memory_split=false")
        return compose("model=encoder", *settings, *overrides)

    return make


def trained_by(path):
    return load_file(trained_file(path))


@pytest.mark.parametrize("method", ["lora", "prompt_tuning"])
def test_a_pooler_that_the_checkpoint_lacks_is_trained_with_the_head(cell_on, method, capsys):
    cell = cell_on("bert", transformers.AutoModelForMaskedLM, f"method={method}")
    record, path = run_cell(cell)
    assert record.status == Status.done, record.error
    assert record.environment["head"] == {"weights": "fresh", "modules": ["classifier", "bert.pooler"]}
    assert any("bert.pooler" in warning for warning in record.warnings)
    assert "bert.pooler" in capsys.readouterr().err
    assert any(name.endswith("pooler.dense.weight") for name in trained_by(path))
    pooler, classifier = 64 * 64 + 64, 2 * 64 + 2
    assert record.parameters.head == pooler + classifier
    planned = plan_parameters(cell.base, build(cell.config["method"], Method), Head(2), 1, 9)
    assert planned == record.parameters, "a plan counts as the record does"


def test_a_pooler_of_the_checkpoints_own_stays_in_the_base(cell_on):
    auto = transformers.AutoModelForSequenceClassification
    record, path = run_cell(cell_on("bert", auto, "method=lora", "model.head=checkpoint"))
    assert record.status == Status.done, record.error
    assert record.environment["head"] == {"weights": "checkpoint", "modules": ["classifier"]}
    assert record.warnings == []
    assert not any("pooler" in name for name in trained_by(path))


def test_a_head_that_gives_way_to_a_fresh_one_is_spoken_of(cell_on):
    auto = transformers.AutoModelForSequenceClassification
    record, path = run_cell(cell_on("roberta", auto, "method=lora", num_labels=3))
    assert record.status == Status.done, record.error
    assert record.environment["head"] == {"weights": "fresh", "modules": ["classifier"]}
    [warning] = record.warnings
    assert "classifier.out_proj.weight: 3 × 64" in warning
    assert next(t for n, t in trained_by(path).items() if n.endswith("out_proj.weight")).shape == (2, 64)


def test_a_head_that_cannot_be_taken_over_is_refused_before_anything_is_done(cell_on, compose, tmp_path):
    for cell in (
        cell_on("roberta", transformers.AutoModelForMaskedLM, "model.head=checkpoint"),
        compose("model=miniature/llama", "task=miniature/mmlu", "model.head=checkpoint"),
        compose("model=miniature/roberta", "task=miniature/sst2", "model.head=checkpoint", "model.weights=random"),
    ):
        with pytest.raises(UserError, match=r"model\.head=checkpoint"):
            run_cell(cell)
    assert not list(tmp_path.rglob("record.json"))
