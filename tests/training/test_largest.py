"""The steps that can make the peak of a training's memory are known before it starts."""

import math

import pytest
import torch

from bench.configuration.schema import TrainingConfig
from bench.data.example import Padding
from bench.running.runner import run_cell
from bench.training.largest import largest_steps
from bench.training.loop import batches_of
from tests.cells import MODELS, TASKS


@pytest.fixture
def chosen(monkeypatch):
    """The numbers chosen for a training whose steps come in the order given, one example's lengths each."""

    def choose(*lengths, done=0, **training):
        examples = [
            {"input_ids": [1] * length, "labels": [1] * target}
            for length, target in (pair if isinstance(pair, tuple) else (pair, 0) for pair in lengths)
        ]
        in_order = [*range(len(lengths))]
        monkeypatch.setattr("torch.randperm", lambda count, generator: torch.tensor(in_order[:count]))
        settings = TrainingConfig(**({"batch_size": 1, "length_grouped": False} | training))
        steps = math.ceil(len(lengths) / settings.batch_size)
        return largest_steps(examples, Padding(0), settings, 0, total_steps=steps, done=done)

    return choose


def test_it_is_the_longest_batch(chosen):
    assert chosen(3, 5, 9, 4) == {3}


def test_of_equal_ones_it_is_the_first_that_has_the_optimizers_state(chosen):
    assert chosen(9, 5, 9, 9) == {3}
    assert chosen(9, 9, 9, 9) == {2}


def test_a_first_step_larger_than_all_others_is_followed_beside_the_largest_of_them(chosen):
    assert chosen(9, 5, 8, 4) == {1, 3}


def test_the_longest_inputs_and_the_longest_targets_may_come_apart(chosen):
    assert chosen((3, 3), (9, 4), (4, 9), (4, 8), (8, 4)) == {2, 3}
    assert chosen((3, 3), (9, 4), (4, 9), (9, 9)) == {4}


def test_a_batch_without_padding_needs_no_mask(chosen):
    assert chosen(3, 3, 9, 9, 9, 8, 9, 9, batch_size=2) == {3}
    assert chosen(3, 3, 9, 9, 7, 8, 9, 9, batch_size=2) == {2, 3}


def test_of_a_step_in_parts_the_largest_part_counts_most_after_the_first(chosen):
    parts = {"batch_size": 2, "micro_batch_size": 1}
    assert chosen(1, 1, 9, 9, 1, 9, batch_size=2, micro_batch_size=1) == {2}
    assert chosen(1, 1, 9, 1, 1, 9, **parts) == {3}, "a later part has the gradients of an earlier one beside it"
    assert chosen(1, 1, 9, 1, 1, 8, **parts) == {2, 3}


def test_a_resumed_training_looks_at_what_is_left(chosen):
    assert chosen(3, 9, 5, 7, 6, done=2) == {4}
    assert chosen(3, 9, 5, 7, 6, done=5) == set()


def test_it_is_one_of_the_steps_that_come_however_many_there_are():
    lengths = torch.randint(3, 100, (5000,), generator=torch.Generator().manual_seed(0)).tolist()
    examples = [{"input_ids": [1] * length, "labels": 0} for length in lengths]
    training, padding = TrainingConfig(batch_size=8), Padding(0, multiple=8)
    steps = batches_of(examples, padding, training, seed=3, pin=False)
    sizes = [next(steps)[0]["input_ids"].numel() for _ in range(1500)]
    chosen = largest_steps(examples, padding, training, seed=3, total_steps=1500)
    assert len(chosen) <= 2
    assert max(sizes[number - 1] for number in chosen) == max(sizes)


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("method", ["lora", pytest.param("full", marks=pytest.mark.slow)])
def test_the_split_is_the_one_that_following_every_step_finds(compose, monkeypatch, family, method):
    settings = (
        f"model={MODELS[family]}", f"task={TASKS[family]}", f"method={method}", "device=cpu", "force=true",
        "training.max_steps=20", "training.batch_size=4", "training.length_grouped=false", "data.limit_evaluation=4",
    )  # fmt: skip
    few, _ = run_cell(compose(*settings))
    monkeypatch.setattr("bench.running.fitting.largest_steps", lambda *_, **__: range(1, 21))
    every, _ = run_cell(compose(*settings))
    assert (every.time.steps_followed, every.time.steps) == (20, 20)
    assert 1 <= few.time.steps_followed <= 3
    assert 0 < few.time.train_followed < few.time.train
    parts = [vars(record.memory.train_peak_split) | {"rest": 0} for record in (few, every)]
    assert parts[0] == parts[1]
