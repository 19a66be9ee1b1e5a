"""What filled the train peak, as the record says it; and that looking costs next to nothing."""

import time

import pytest
import torch

from bench.configuration.schema import Precision
from bench.data.example import Padding
from bench.metering.split import SplitMeter, split_of
from bench.metering.time import StepClock
from bench.metering.utilisation import peak_of
from bench.records.schema import MemorySplit, PhaseMemory
from bench.running import scores
from bench.running.runner import run_cell
from tests.cells import MODELS, SHORT, TASKS

MEGABYTE = 2**20


def run(compose, family, method, *more):
    cell = compose(f"model={MODELS[family]}", f"task={TASKS[family]}", f"method={method}", "device=cpu", *SHORT, *more)
    record, _ = run_cell(cell)
    assert record.status == "done", record.error
    return record


@pytest.mark.parametrize(("family", "method"), [("encoder", "full"), ("encoder_decoder", "lora"), ("decoder", "qlora")])
def test_the_parts_of_a_real_run_are_the_closed_form_bytes(compose, family, method):
    record = run(compose, family, method)
    split = record.memory.train_peak_split
    trained, base = record.parameters.trainable, record.parameters.base_total
    assert split.trainable_weights == 4 * trained
    assert 8 * trained <= split.optimiser_state <= 8 * trained + 4 * 200  # a step count for each tensor
    assert split.gradients <= 4 * trained
    assert split.activations > 0
    if method == "full":
        assert split.frozen_weights < 0.01 * split.trainable_weights  # buffers
    elif method == "lora":
        assert split.frozen_weights == pytest.approx(4 * base, rel=0.02)
    else:
        assert split.frozen_weights < 0.5 * 4 * base  # most of it in four bits
    assert record.time.flops_per_second > 0
    assert record.time.utilisation is None  # of a processor no peak is known


def test_switched_off_nothing_is_followed(compose, monkeypatch):
    monkeypatch.setattr("bench.metering.split.StorageTracker", None)  # would fail if it were used
    record = run(compose, "encoder", "lora", "memory_split=false")
    assert record.memory.train_peak_split is None
    assert record.time.flops_per_second is None
    assert record.time.step_p50 is not None
    assert (record.time.steps_followed, record.time.train_followed) == (0, 0)


def test_following_changes_nothing_that_is_learnt(compose):
    with_split = run(compose, "encoder", "lora")
    without = run(compose, "encoder", "lora", "memory_split=false", "force=true", "data.limit_train=96")
    assert with_split.metrics.losses == without.metrics.losses
    assert with_split.cell.id == without.cell.id  # how it is measured is not what is run


def test_the_steps_that_were_chosen_are_followed_and_no_other():
    meter = SplitMeter(torch.nn.Linear(1, 1), torch.optim.SGD([torch.zeros(1)]), torch.device("cpu"), {2, 5})
    clock = StepClock(torch.device("cpu"), meter.watch)
    for _ in range(6):
        with clock.step(tokens=10, padded=10):
            pass
    assert [bool(size[2]) for size in clock.state()["sizes"]] == [False, True, False, False, True, False]
    assert (clock.watched().count, clock.undisturbed().count) == (2, 2)  # three are for warming up
    first, second, third, fourth, fifth, sixth = clock.seconds()
    assert clock.watched().seconds == pytest.approx(second + fifth)
    assert clock.undisturbed().seconds == pytest.approx(fourth + sixth)
    warm_up = first + third
    assert clock.watched().seconds + clock.undisturbed().seconds + warm_up == pytest.approx(sum(clock.seconds()))


def test_a_step_that_was_broken_off_says_nothing():
    meter = SplitMeter(torch.nn.Linear(1, 1), torch.optim.SGD([torch.zeros(1)]), torch.device("cpu"), {1, 2})
    with pytest.raises(RuntimeError), meter.watch(1, 10):
        raise RuntimeError
    assert meter.parts is None
    with meter.watch(2, 10):
        pass
    assert meter.parts is not None


def test_steps_that_were_followed_do_not_count_for_speed_and_percentiles():
    slow = [True, True, False, False, True, False]  # and the third is one of the first
    clock = StepClock(torch.device("cpu"), watch=lambda step, _: torch.no_grad() if slow[step - 1] else None)
    for index, is_slow in enumerate(slow):
        with clock.step(tokens=10, padded=index):
            time.sleep(0.1 if is_slow else 0.01)
    assert clock.percentiles()[1] < 0.06
    assert clock.undisturbed().seconds < 0.1
    assert (clock.undisturbed().tokens, clock.undisturbed().padded) == (20, 3 + 5)
    assert clock.tokens == 60
    assert len(clock.seconds()) == 6
    later = StepClock(torch.device("cpu"))
    later.load_state(clock.state())
    assert later.undisturbed() == clock.undisturbed()


def test_a_slow_and_large_evaluation_changes_neither_the_train_time_nor_the_train_peak(compose, monkeypatch):
    usual = run(compose, "encoder", "lora", "training.evaluations=2")
    evaluate = scores.evaluate_splits

    def slow(*arguments):
        block = bytearray(300 * MEGABYTE)
        time.sleep(1)
        del block
        return evaluate(*arguments)

    monkeypatch.setattr("bench.running.runner.evaluate_splits", slow)
    slowed = run(compose, "encoder", "lora", "training.evaluations=2", "force=true")
    assert slowed.time.evaluate > 2  # two evaluations, a second each
    assert slowed.time.train < usual.time.train + 0.9
    if usual.memory.phases["train"].peak_rss is None:
        pytest.skip("this system does not let a process reset its high-water mark")
    evaluate_peak, train_peak = (slowed.memory.phases[name].peak_rss for name in ("evaluate", "train"))
    assert evaluate_peak - train_peak > 200 * MEGABYTE
    assert train_peak - usual.memory.phases["train"].peak_rss < 100 * MEGABYTE


def test_slow_data_preparation_does_not_change_the_train_time(compose, monkeypatch):
    usual = run(compose, "encoder", "lora")
    pad = Padding.__call__

    def slow(self, examples):
        time.sleep(0.2)
        return pad(self, examples)

    monkeypatch.setattr(Padding, "__call__", slow)
    slowed = run(compose, "encoder", "lora", "force=true")
    assert slowed.time.total > usual.time.total + 1
    assert slowed.time.train < usual.time.train + 0.6  # six steps, each of which waited 0.2 s for its batch


def test_parts_larger_than_the_peak_are_not_believed():
    parts = MemorySplit(1, 2, 3, 4, 5, 6)
    assert split_of(PhaseMemory(peak_allocated=20), parts) == MemorySplit(1, 2, 3, 4, 5, 5)
    assert split_of(PhaseMemory(peak_rss=20), parts).rest == 5
    assert split_of(PhaseMemory(peak_rss=14), parts) is None
    assert split_of(PhaseMemory(), parts) is None
    assert split_of(PhaseMemory(peak_rss=20), None) is None


@pytest.mark.parametrize(
    ("name", "single", "brain"),
    [
        ("NVIDIA A100-SXM4-80GB", 19.5e12, 312e12),
        ("NVIDIA A800 80GB PCIe", 19.5e12, 312e12),
        ("Tesla V100-SXM2-32GB", 15.7e12, None),
        ("NVIDIA H100 PCIe", 51.2e12, 756e12),
        ("NVIDIA H100 80GB HBM3", 66.9e12, 989.4e12),
        ("NVIDIA H200", 66.9e12, 989.4e12),
        ("NVIDIA GeForce RTX 3090", 35.6e12, 71e12),
        ("NVIDIA GeForce RTX 3090 Ti", None, None),
        ("NVIDIA A10G", None, None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None, None),
        ("something new", None, None),
    ],
)
def test_peaks_of_known_devices(name, single, brain):
    assert peak_of(name, Precision.fp32) == (pytest.approx(single) if single else None)
    assert peak_of(name, Precision.bf16) == (pytest.approx(brain) if brain else None)


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["full", "lora"])
def test_on_a_gpu_the_parts_fill_most_of_the_peak_and_the_prediction_meets_it(compose, method):
    from bench.planning.predict import predict

    cell = compose(
        "model=roberta_base", "task=glue/cola", f"method={method}", "model.weights=random", "data.synthetic=true",
        "data.limit_train=256", "training.max_steps=8", "save_trained=false", "device=cuda",
    )  # fmt: skip
    record, _ = run_cell(cell)
    assert record.status == "done", record.error
    peak, split = record.memory.phases["train"].peak_allocated, record.memory.train_peak_split
    assert split.rest < 0.15 * peak  # which is what the other parts leave of it
    assert predict(cell, "cuda").peak == pytest.approx(peak, rel=0.05)
    assert 0 < record.time.utilisation < 1 or record.time.utilisation is None


@pytest.mark.gpu
def test_on_a_gpu_the_undisturbed_steps_are_as_fast_as_without_the_split(compose):
    settings = (
        "model=roberta_base", "task=glue/cola", "method=lora", "model.weights=random", "data.synthetic=true",
        "data.limit_train=1024", "training.max_steps=40", "save_trained=false", "device=cuda",
    )  # fmt: skip
    medians = {
        on: min(run_cell(compose(*settings, f"memory_split={on}", "force=true"))[0].time.step_p50 for _ in range(2))
        for on in ("true", "false")
    }
    assert medians["true"] == pytest.approx(medians["false"], rel=0.02)
