"""Random weights and random tokens: efficiency cells of the published architectures without any download."""

from collections.abc import Callable

import pytest

from bench.configuration.cell import Cell
from bench.configuration.schema import DataConfig
from bench.data.example import IGNORED
from bench.data.synthetic import Shape, classification, continuation, translation
from bench.records.schema import Status
from bench.running.runner import run_cell

SHAPE = Shape(count=200, shortest=4, longest=9, vocabulary=50, padding=1, seed=0)


def test_lengths_and_tokens_are_as_asked() -> None:
    texts = SHAPE.texts()
    assert {len(text) for text in texts} == set(range(4, 10))
    assert {token for text in texts for token in text} == set(range(50)) - {1}
    assert texts == SHAPE.texts()
    assert texts != SHAPE.targets()
    assert {len(text) for text in Shape.of(DataConfig(limit_train=5), 9, 50, 0, 0).texts()} == {9}


def test_labels_suit_the_task() -> None:
    assert {example["labels"] for example in classification(SHAPE, 3, regression=False)} == {0, 1, 2}
    assert all(isinstance(example["labels"], float) for example in classification(SHAPE, 1, regression=True))
    assert all(isinstance(example["labels"], list) for example in translation(SHAPE))
    for example in continuation(SHAPE):
        half = len(example["input_ids"]) // 2
        assert example["labels"] == [IGNORED] * half + example["input_ids"][half:]


SMALL = {
    "roberta_base": ("glue/stsb", "{num_hidden_layers: 1, vocab_size: 300, hidden_size: 48, intermediate_size: 64}"),
    "t5_base": ("wmt16", "{num_layers: 1, vocab_size: 300, d_model: 48, d_kv: 4, d_ff: 64}"),
    "llama_7b": (
        "mmlu",
        "{num_hidden_layers: 1, vocab_size: 300, hidden_size: 64, intermediate_size: 96, num_attention_heads: 4}",
    ),
}


@pytest.mark.parametrize("model", SMALL)
def test_a_cell_trains_without_tokenizer_or_data(model: str, compose: Callable[..., Cell]) -> None:
    """The published architecture, made small here by its own settings."""
    task, architecture = SMALL[model]
    changes = [f"model.architecture.{pair}".replace(": ", "=") for pair in architecture.strip("{}").split(", ")]
    cell = compose(
        f"model={model}", "model.weights=random", f"task={task}", "method=ia3", "data.synthetic=true", *changes,
        "data.limit_train=16", "training.max_steps=2", "training.batch_size=4", "training.micro_batch_size=4",
        "training.max_length=12", "device=cpu", "training.precision=fp32",
    )  # fmt: skip
    record, _ = run_cell(cell)
    assert record.status == Status.done, record.error
    assert record.time.steps == 2
    assert record.metrics is not None
    assert record.metrics.values == {}
    assert record.metrics.notes == {"synthetic": True}
