"""A training that is killed and resumed ends like one that never was: the same bits, for every method."""

import time
from dataclasses import replace

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from bench.evaluation.scores import Best, Scores
from bench.fitting import fit
from bench.metering.phases import PhaseMeter
from bench.preparation import Prepared
from bench.records.schema import CellIdentity, Metrics, Record, Status
from bench.run import Run, silent
from bench.tasks.base import TaskData
from bench.tasks.example import Padding
from bench.training.losses import TrainingDivergedError
from tests.tiny import VOCABULARY, Adapted, all_methods, settings_of, tiny_model

STEPS, KILLED_AT = 12, 8  # epochs are of five steps
DROPOUT = {
    "encoder": {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1},
    "encoder_decoder": {"dropout_rate": 0.1},
    "decoder": {"attention_dropout": 0.1},
}
FAMILIES = list(DROPOUT)
# Every method on one family or another; the one whose ranks change on all of them.
PAIRS = [(name, FAMILIES[index % 3]) for index, name in enumerate(all_methods())]
PAIRS += [("adalora", family) for family in FAMILIES if ("adalora", family) not in PAIRS]


class Killed(BaseException):
    """Stands for a SIGKILL."""


class Fitted:
    """One attempt at training a tiny model; dies before the checkpoint of `killed_at`."""

    def __init__(self, cell, folder, name, family, *, killed_at=None, **training):
        quantised = "qlora" in name
        adapted = Adapted(
            settings_of(name), family, base=tiny_model(family, quantised, **DROPOUT[family]), total_steps=STEPS
        )
        self.model, self.method = adapted.model, adapted.method
        accelerator = Accelerator(cpu=True)
        self.record = Record(CellIdentity.of(cell), Status.failed, {"shrunk": []}, metrics=Metrics("accuracy"))
        self.folder, self.seen = folder, []
        folder.mkdir(exist_ok=True)
        settings = {
            "batch_size": 4, "micro_batch_size": 2, "learning_rate": 1e-2, "log_every": 5, "evaluations": STEPS,
            "weight_decay": 0.1, "warmup": 0.2, "keep_best": True,
        }  # fmt: skip
        run = Run(
            cell=with_training(cell, settings | training), folder=folder, report=silent, accelerator=accelerator,
            meter=PhaseMeter(accelerator.device), record=self.record,
            begin=time.perf_counter(),
        )  # fmt: skip
        prepared = Prepared(None, TaskData(examples(family), {}), Padding(0), None, adapted.setting)
        self.best = Best(self.method, keep=True)

        def evaluate(step):
            self.seen.append(step)
            score = 1.0 if step == 3 else 0.5
            self.best.offer(self.model, Scores({"accuracy": score}, {}, {"v": [1]}, {"v": [step]}), score)
            self.record.metrics.curve.append({"step": step, "values": {"accuracy": score}})
            if step == killed_at:
                raise Killed

        fit(run, self.model, self.method, prepared, best=self.best, evaluate=evaluate)

    def bits(self):
        return {name: p.detach().clone() for name, p in self.model.named_parameters() if p.requires_grad}


def with_training(cell, settings):
    return replace(cell, config=cell.config | {"training": cell.config["training"] | settings})


def examples(family, count=18):
    generator = torch.Generator().manual_seed(3)

    def tokens(low, high):
        return torch.randint(3, VOCABULARY, (int(torch.randint(low, high, (), generator=generator)),),
                             generator=generator).tolist()  # fmt: skip

    rows = []
    for index in range(count):
        ids = tokens(3, 9)
        labels = {"encoder": index % 2, "encoder_decoder": tokens(2, 5), "decoder": [-100, *ids[1:]]}[family]
        rows.append({"input_ids": ids, "labels": labels})
    return rows


@pytest.fixture
def cell_for(compose):
    def make(name, *overrides):
        extra = ["peft.type=LORA", "peft.r=4"] if name == "peft/any" else []
        return compose(f"method={name}", "checkpoint_seconds=0", *extra, *overrides)

    return make


@pytest.mark.parametrize(("name", "family"), PAIRS, ids=[f"{name}-{family}" for name, family in PAIRS])
def test_it_ends_with_the_same_bits(cell_for, tmp_path, name, family):
    cell = cell_for(name)
    whole = Fitted(cell, tmp_path / "whole", name, family)
    with pytest.raises(Killed):
        Fitted(cell, tmp_path / "cell", name, family, killed_at=KILLED_AT)
    resumed = Fitted(cell, tmp_path / "cell", name, family)
    assert resumed.seen == list(range(KILLED_AT, STEPS + 1)), "steps that were done are not done again"
    assert resumed.record.metrics == whole.record.metrics
    assert same(resumed.bits(), whole.bits())
    assert same(resumed.method.extra_state(resumed.model), whole.method.extra_state(whole.model))
    assert resumed.best.scores == whole.best.scores
    for fitted in (resumed, whole):
        fitted.best.restore(fitted.model)
    assert same(resumed.bits(), whole.bits())


def test_the_record_tells_of_every_time_it_was_resumed_and_times_add_up(cell_for, tmp_path):
    cell = cell_for("lora")
    for killed_at in (3, 6, 9):
        with pytest.raises(Killed):
            Fitted(cell, tmp_path / "cell", "lora", "encoder", killed_at=killed_at)
    fitted = Fitted(cell, tmp_path / "cell", "lora", "encoder")
    assert [entry["step"] for entry in fitted.record.environment["resumed"]] == [2, 5, 8]
    assert fitted.record.time.steps == STEPS
    assert fitted.record.time.train > 0


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(cell_for, tmp_path):
    cell = cell_for("lora")
    whole = Fitted(cell, tmp_path / "whole", "lora", "encoder")
    with pytest.raises(Killed):
        Fitted(cell, tmp_path / "cell", "lora", "encoder", killed_at=KILLED_AT)
    newest = tmp_path / "cell/checkpoint" / f"step-{KILLED_AT - 1}.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    resumed = Fitted(cell, tmp_path / "cell", "lora", "encoder")
    environment = resumed.record.environment
    assert [entry["step"] for entry in environment["resumed"]] == [KILLED_AT - 2]
    assert "step-7.safetensors is damaged" in environment["checkpoint_notes"][0]
    assert same(resumed.bits(), whole.bits())


def test_without_a_usable_checkpoint_it_starts_anew(cell_for, tmp_path):
    cell = cell_for("lora")
    with pytest.raises(Killed):
        Fitted(cell, tmp_path / "cell", "lora", "encoder", killed_at=KILLED_AT)
    for path in (tmp_path / "cell/checkpoint").glob("*.json"):
        path.write_text(path.read_text()[:-200])
    resumed = Fitted(cell, tmp_path / "cell", "lora", "encoder")
    assert resumed.seen == list(range(1, STEPS + 1))
    assert len(resumed.record.environment["checkpoint_notes"]) == 2
    assert "resumed" not in resumed.record.environment


def test_a_checkpoint_of_other_settings_is_not_resumed(cell_for, tmp_path):
    with pytest.raises(Killed):
        Fitted(cell_for("lora"), tmp_path / "cell", "lora", "encoder", killed_at=KILLED_AT)
    other = Fitted(cell_for("lora", "seed=1"), tmp_path / "cell", "lora", "encoder")
    assert other.seen == list(range(1, STEPS + 1))
    assert "other settings" in other.record.environment["checkpoint_notes"][0]


def test_a_checkpoint_that_cannot_be_written_does_not_stop_the_training(cell_for, tmp_path, monkeypatch):
    def full(tensors, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.training.checkpoint.save_file", full)
    fitted = Fitted(cell_for("lora"), tmp_path / "cell", "lora", "encoder")
    assert fitted.record.time.steps == STEPS
    assert "no checkpoint after step 1: [Errno 28] No space left" in fitted.record.environment["checkpoint_notes"][0]
    assert not list((tmp_path / "cell/checkpoint").iterdir())


def test_a_diverged_training_leaves_no_checkpoint_of_its_end(cell_for, tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"the loss became (nan|inf) at step \d"):
        Fitted(cell_for("lora"), tmp_path / "cell", "lora", "encoder", learning_rate=1e30, max_grad_norm=None)
    for path in (tmp_path / "cell/checkpoint").glob("*.safetensors"):
        assert all(tensor.isfinite().all() for name, tensor in load_file(path).items() if name.startswith("model."))


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
