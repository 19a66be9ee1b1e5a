"""One cell from its configuration to its record, for each family."""

import json

import pytest
import torch

from bench.errors import UserError
from bench.records.schema import Record, Status
from bench.records.store import read_record
from bench.running.preparation import load_adapted
from bench.running.runner import run_cell
from tests.cells import MODELS, SHORT, TASKS, trained_file


def cell_of(compose, family, *overrides):
    return compose(f"model={MODELS[family]}", f"task={TASKS[family]}", *SHORT, *overrides)


@pytest.mark.parametrize("family", MODELS)
def test_a_cell_leaves_a_complete_record(compose, family):
    cell = cell_of(compose, family)
    record, path = run_cell(cell)
    assert record.status == Status.done, record.error
    assert read_record(path) == Record.from_dict(json.loads(path.read_text()))

    assert record.cell.id == cell.id == path.parent.name
    assert record.metrics.main in record.metrics.values
    assert record.metrics.losses[-1]["step"] == 6
    assert record.metrics.examples["train"] == 96
    assert record.parameters.trainable == record.parameters.method + record.parameters.head
    assert 0 < record.parameters.method < record.parameters.base_total
    assert record.time.steps == 6
    assert 0 < record.time.train < record.time.total
    assert record.time.tokens_per_second > 0
    assert record.memory.measure == "rss"
    assert record.memory.phases["train"].peak_rss > 0
    assert record.memory.phases["train"].peak_allocated is None, "not measured is null, never zero"
    assert record.memory.device_total is None
    assert record.environment["libraries"]["torch"] == torch.__version__
    assert record.environment["start"] < record.environment["end"]
    assert record.environment["data"]

    trained = trained_file(path)
    assert record.storage.adapter_bytes == trained.stat().st_size
    assert trained.stat().st_mode & 0o077 == path.stat().st_mode & 0o077 == 0o044, "others may read what is shared"
    predictions = json.loads((path.parent / "predictions.json").read_text())
    for split, references in predictions["references"].items():
        assert len(references) == len(predictions["predictions"][split]) > 0


@pytest.mark.parametrize("family", MODELS)
def test_the_same_cell_gives_the_same_scores_and_weights(compose, family, tmp_path):
    first, first_path = run_cell(cell_of(compose, family, f"results_dir={tmp_path / 'a'}"))
    second, second_path = run_cell(cell_of(compose, family, f"results_dir={tmp_path / 'b'}"))
    assert first.metrics == second.metrics
    for name in ("trained", "."):
        files = sorted(path.name for path in (first_path.parent / name).iterdir() if path.is_file())
        for file in set(files) - {"record.json"}:
            same = [(path.parent / name / file).read_bytes() for path in (first_path, second_path)]
            assert same[0] == same[1], file


def test_another_seed_gives_other_losses(compose):
    first, _ = run_cell(cell_of(compose, "encoder"))
    second, _ = run_cell(cell_of(compose, "encoder", "seed=1"))
    assert first.metrics.losses != second.metrics.losses


@pytest.mark.parametrize("family", MODELS)
def test_bf16_trains_and_evaluates_in_bf16(compose, monkeypatch, family):
    """Also what is called past the model's own forward: an encoder before generation, the parts under a prompt."""
    seen = {"train": set(), "evaluate": set()}

    def load(*arguments):
        model, parameters = load_adapted(*arguments)
        for name, module in model.named_modules():
            if type(module) is torch.nn.Linear and "lm_head" not in name:
                module.register_forward_hook(
                    lambda module, _, output: seen["train" if model.training else "evaluate"].add(output.dtype)
                )
        return model, parameters

    monkeypatch.setattr("bench.running.runner.load_adapted", load)
    record, _ = run_cell(cell_of(compose, family, "method=lora", "training.precision=bf16", "memory_split=false"))
    assert record.status == Status.done, record.error
    assert seen == {"train": {torch.bfloat16}, "evaluate": {torch.bfloat16}}


def test_a_gpu_that_was_given_and_cannot_be_used_is_never_passed_over(compose, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES=0 gives this process a GPU"):
        run_cell(cell_of(compose, "encoder"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert run_cell(cell_of(compose, "encoder"))[0].status == Status.done


def test_an_exception_becomes_a_failed_record_with_its_phase(compose, monkeypatch):
    monkeypatch.setattr(
        "bench.running.fitting.train", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("a broken disk"))
    )
    record, path = run_cell(cell_of(compose, "encoder"))
    assert record.status == Status.failed
    assert (record.error.type, record.error.message, record.error.phase) == ("RuntimeError", "a broken disk", "train")
    assert "a broken disk" in record.error.traceback
    assert read_record(path).status == Status.failed


def test_out_of_memory_is_a_status_of_its_own(compose, monkeypatch):
    monkeypatch.setattr(
        "bench.running.fitting.train", lambda *_, **__: (_ for _ in ()).throw(torch.OutOfMemoryError("no room"))
    )
    record, _ = run_cell(cell_of(compose, "encoder"))
    assert record.status == Status.out_of_memory


def test_a_loss_that_is_not_a_number_fails_the_cell_at_its_step(compose):
    record, _ = run_cell(cell_of(compose, "encoder", "training.learning_rate=1e30", "training.max_grad_norm=null"))
    assert record.status == Status.failed
    assert record.error.type == "TrainingDivergedError"
    assert record.error.message in {
        f"the loss became {value} at step {step}" for value in ("nan", "inf") for step in (2, 3)
    }
    assert record.metrics.values == {}


def test_a_mistake_found_before_training_writes_no_record(compose, tmp_path):
    with pytest.raises(UserError, match="exceed"):
        run_cell(cell_of(compose, "encoder", "method=prompt_tuning", "training.max_length=190"))
    assert not list(tmp_path.rglob("record.json"))


def test_the_best_evaluation_counts_where_it_is_asked_for(compose):
    record, _ = run_cell(cell_of(compose, "encoder", "training.evaluations=6", "training.keep_best=true"))
    curve = [entry["values"]["accuracy"] for entry in record.metrics.curve]
    assert len(curve) == 6
    assert record.metrics.values["accuracy"] == max(curve)


def test_the_head_does_not_depend_on_the_method(compose, monkeypatch):
    seen = []

    def look(model, structure):
        seen.append({n.split("classifier.")[-1]: p.clone() for n, p in model.named_parameters() if "classifier" in n})

    monkeypatch.setattr("bench.methods.adapting.train_head", look)
    for method in ("full", "lora", "bitfit"):
        run_cell(cell_of(compose, "encoder", f"method={method}"))
    assert len(seen) == 3
    for other in seen[1:]:
        assert all(torch.equal(other[name], value) for name, value in seen[0].items())
