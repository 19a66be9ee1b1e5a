"""Which GPUs a sweep may give its workers, on machines that have none."""

import os

import pytest

from bench.system import gpus
from bench.system.gpus import settle_allocator, visible_gpus, without_gpus


@pytest.mark.parametrize(("chosen", "named"), [("0,1", ["0", "1"]), ("", []), ("-1", []), ("GPU-1a", ["GPU-1a"])])
def test_those_that_the_user_lets_be_seen(monkeypatch, chosen, named):
    monkeypatch.setattr(gpus, "_count", lambda: 4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert visible_gpus() == named


def test_else_all_that_the_management_library_knows_also_where_proc_knows_none(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "nowhere")
    for name, answer in {"nvmlInit": None, "nvmlDeviceGetCount": 2, "nvmlShutdown": None}.items():
        monkeypatch.setattr(gpus.pynvml, name, lambda answer=answer: answer)
    assert visible_gpus() == ["0", "1"]


def test_without_the_library_those_of_the_driver(monkeypatch, tmp_path):
    def missing():
        raise gpus.pynvml.NVMLError(gpus.pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus.pynvml, "nvmlInit", missing)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)
    assert visible_gpus() == []
    (tmp_path / "0000:01:00.0").mkdir()
    assert visible_gpus() == ["0"]


def test_hidden_for_a_while(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with without_gpus():
        assert visible_gpus() == []
    assert visible_gpus() == ["3"]


def test_the_allocator_lets_blocks_grow_unless_the_user_says_something(monkeypatch):
    for name in gpus.ALLOCATOR:
        monkeypatch.delenv(name, raising=False)
    settle_allocator()
    assert os.environ["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    monkeypatch.delenv("PYTORCH_ALLOC_CONF")
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:64")
    settle_allocator()
    assert "PYTORCH_ALLOC_CONF" not in os.environ
