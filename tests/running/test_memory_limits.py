"""What happens when memory does not suffice."""

import pytest
import torch

from bench.errors import UserError
from bench.records.schema import Status
from bench.running.memory_limits import is_out_of_memory
from bench.running.runner import run_cell
from tests.cells import SHORT

SETTINGS = ("method=bitfit", *SHORT, "training.batch_size=12", "training.log_every=1")


@pytest.fixture
def small_memory(monkeypatch):
    """Let every training step of more than `limit` examples at a time run out of memory."""

    def limit(examples):
        from bench.running.preparation import load_adapted

        def check(model, arguments, batch):
            if model.training and len(batch["input_ids"]) > examples:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is")

        def load(*arguments):
            model, parameters = load_adapted(*arguments)
            model.register_forward_pre_hook(check, with_kwargs=True)
            return model, parameters

        monkeypatch.setattr("bench.running.runner.load_adapted", load)

    return limit


def test_it_is_recorded_by_default(compose, small_memory):
    small_memory(5)
    record, _ = run_cell(compose(*SETTINGS))
    assert record.status == Status.out_of_memory
    assert (record.error.type, record.error.phase) == ("OutOfMemoryError", "train")


def test_shrink_halves_the_micro_batch_and_keeps_the_batch(compose, small_memory, tmp_path):
    small_memory(5)
    record, path = run_cell(compose(*SETTINGS, "on_oom=shrink"))
    assert record.status == Status.done, record.error
    sizes = [{"micro_batch_size": 6, "accumulation": 2}, {"micro_batch_size": 3, "accumulation": 4}]
    assert record.environment["shrunk"] == sizes
    assert len(list(path.parent.glob("*.json"))) == 2, "one record and its predictions"
    asked, _ = run_cell(compose(*SETTINGS, "training.micro_batch_size=3", f"results_dir={tmp_path / 'asked'}"))
    assert record.metrics == asked.metrics


def test_shrink_ends_where_single_examples_do_not_fit(compose, small_memory):
    small_memory(0)
    record, _ = run_cell(compose(*SETTINGS, "on_oom=shrink"))
    assert record.status == Status.out_of_memory
    assert [entry["micro_batch_size"] for entry in record.environment["shrunk"]] == [6, 3, 1]


def test_a_resumed_cell_starts_with_the_micro_batch_that_fitted(compose, small_memory, monkeypatch):
    small_memory(6)
    settings = (*SETTINGS, "on_oom=shrink", "checkpoint_seconds=0")
    with monkeypatch.context() as patch:
        patch.setattr("bench.running.runner.write_predictions", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_cell(compose(*settings))
    small_memory(12)
    record, _ = run_cell(compose(*settings))
    assert record.environment["resumed"][0]["step"] == 6
    assert record.environment["shrunk"] == [{"micro_batch_size": 6, "accumulation": 2}]


def interrupt(*_):
    raise KeyboardInterrupt


def test_an_unknown_way_out_is_refused(compose):
    with pytest.raises(UserError, match="on_oom=pray must be record or shrink"):
        run_cell(compose(*SETTINGS, "on_oom=pray"))


@pytest.mark.parametrize("allocate", [lambda: torch.empty(2**60), lambda: bytearray(2**62)], ids=["torch", "python"])
def test_too_little_memory_on_the_host_is_the_same_status(compose, monkeypatch, allocate):
    monkeypatch.setattr("bench.running.fitting.train", lambda *_, **__: allocate())
    record, _ = run_cell(compose(*SETTINGS))
    assert record.status == Status.out_of_memory, record.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("unable to mmap 812 bytes from file <m.safetensors>: Cannot allocate memory (12)"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA driver error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("[enforce fail] not enough memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_only_lack_of_memory_counts(error, expected):
    assert is_out_of_memory(error) is expected


MIXTURE = ("method=hybrid", *SHORT)


def test_a_mixture_over_a_memory_limit_ends_before_its_weights_are_loaded(compose, monkeypatch):
    def load(*arguments):
        raise AssertionError("nothing is to be loaded")

    monkeypatch.setattr("bench.running.runner.load_adapted", load)
    record, _ = run_cell(compose(*MIXTURE, "memory_limit=20MB"))
    assert record.status == Status.unsupported
    said = record.error.message
    assert said.startswith("memory_limit=20MB leaves tensors 0.02 GB, and the train peak would be 0.0")
    assert "bench plan device_memory" in said
    assert "\n" not in said


def test_one_within_the_limit_is_the_cell_that_it_is_without(compose):
    limited, plain = compose(*MIXTURE, "memory_limit=20GiB"), compose(*MIXTURE)
    assert limited.config_hash == plain.config_hash
    assert run_cell(limited)[0].status == Status.done


@pytest.mark.parametrize("limit", ["much", "-3GB", "0"])
def test_a_limit_that_is_no_size_is_refused(compose, limit):
    with pytest.raises(UserError, match=f"^memory_limit={limit} is no size; write it as 80GiB or 80GB$"):
        run_cell(compose(*SETTINGS, f"memory_limit={limit}"))
