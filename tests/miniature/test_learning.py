"""The default run means something: pretraining helps, training helps, and every method learns.

These cells are those of the default grid, at its own settings.
"""

import pytest

from bench.records.schema import Status
from bench.running.runner import run_cell
from tests.cells import MODELS

# What LoRA on the pretrained backbone has to be ahead of LoRA on random weights, in the main metric's own unit.
MARGINS = {
    "miniature/sst2": 0.15,
    "miniature/rte": 0.10,
    "miniature/cola": 0.30,
    "miniature/wmt16": 20,
    "miniature/mmlu": 0.10,
}
FAMILY = {"miniature/wmt16": "encoder_decoder", "miniature/mmlu": "decoder"}


def score(compose, task, *overrides):
    record, _ = run_cell(compose(f"model={MODELS[FAMILY.get(task, 'encoder')]}", f"task={task}", *overrides))
    assert record.status == Status.done, record.error
    return record.metrics.values[record.metrics.main]


SLOW = ("miniature/rte", "miniature/cola")  # of the same backbone as SST-2


@pytest.mark.parametrize("task", [pytest.param(t, marks=pytest.mark.slow if t in SLOW else []) for t in MARGINS])
def test_a_pretrained_backbone_beats_random_weights_under_lora(compose, task):
    pretrained = score(compose, task, "method=lora")
    random = score(compose, task, "method=lora", "model.weights=random")
    assert pretrained >= random + MARGINS[task], (pretrained, random)


@pytest.mark.parametrize(
    ("task", "least"),
    [("miniature/sst2", 0.70), ("miniature/rte", 0.70), ("miniature/wmt16", 30), ("miniature/mmlu", 0.40)],
)
def test_full_fine_tuning_is_far_above_chance(compose, task, least):
    assert score(compose, task, "method=full") >= least
