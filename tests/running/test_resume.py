"""A training that is killed and resumed ends like one that never was: the same bits, for every method."""

import pytest
from safetensors.torch import load_file

from bench.errors import UserError
from bench.training.losses import TrainingDivergedError
from tests.fitted import DROPOUT, STEPS, Fitted, Killed, same
from tests.tiny import all_methods

KILLED_AT = 8
FAMILIES = list(DROPOUT)
# Every method on one family or another; the one whose ranks change on all of them.
PAIRS = [(name, FAMILIES[index % 3]) for index, name in enumerate(all_methods())]
PAIRS += [("adalora", family) for family in FAMILIES if ("adalora", family) not in PAIRS]


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


def test_what_filled_the_memory_before_it_was_killed_is_not_forgotten(cell_for, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.running.fitting.largest_steps", lambda *_, **__: {2})
    cell = cell_for("lora")
    whole = Fitted(cell, tmp_path / "whole", "lora", "encoder")
    with pytest.raises(Killed):
        Fitted(cell, tmp_path / "cell", "lora", "encoder", killed_at=KILLED_AT)
    resumed = Fitted(cell, tmp_path / "cell", "lora", "encoder")
    assert resumed.record.time.steps_followed == 1
    assert resumed.record.time.flops_per_second > 0
    assert resumed.parts is not None
    assert resumed.parts == whole.parts


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


def test_a_checkpoint_of_a_method_that_has_changed_is_refused_with_what_to_do(cell_for, tmp_path):
    with pytest.raises(Killed):
        Fitted(cell_for("lora"), tmp_path / "cell", "lora", "encoder", killed_at=KILLED_AT)
    with pytest.raises(UserError, match=r"remove .*/cell/checkpoint: the saved state does not fit"):
        Fitted(cell_for("lora"), tmp_path / "cell", "bitfit", "encoder")


def test_a_checkpoint_that_cannot_be_written_does_not_stop_the_training(cell_for, tmp_path, monkeypatch):
    def full(tensors, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.training.checkpoint.save_file", full)
    fitted = Fitted(cell_for("lora"), tmp_path / "cell", "lora", "encoder")
    assert fitted.record.time.steps == STEPS
    assert "no checkpoint after step 1: No space left" in fitted.record.environment["checkpoint_notes"][0]
    assert not list((tmp_path / "cell/checkpoint").iterdir())


def test_a_diverged_training_leaves_no_checkpoint_of_its_end(cell_for, tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"the loss became (nan|inf) at step \d"):
        Fitted(cell_for("lora"), tmp_path / "cell", "lora", "encoder", learning_rate=1e30, max_grad_norm=None)
    for path in (tmp_path / "cell/checkpoint").glob("*.safetensors"):
        assert all(tensor.isfinite().all() for name, tensor in load_file(path).items() if name.startswith("model."))
