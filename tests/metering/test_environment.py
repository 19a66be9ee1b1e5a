"""What a record says of the machine."""

from contextlib import contextmanager
from types import SimpleNamespace

import torch

from bench.metering.environment import environment, others_on_gpu
from bench.metering.sharing import place


def test_what_chooses_kernels_and_memory_is_known_of_a_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Made-up A1")
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (30 * 2**30, 80 * 2**30))
    monkeypatch.delenv("PYTORCH_ALLOC_CONF", raising=False)
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    told = environment(torch.device("cuda"))
    settings = told["cuda_settings"]
    assert (settings["allocator"], settings["free_at_start"]) == ("expandable_segments:True", 30 * 2**30)
    assert settings["cudnn_benchmark"] is True
    torch.set_float32_matmul_precision("high")
    try:
        assert environment(torch.device("cuda"))["cuda_settings"]["matmul_precision"] == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_nothing_of_it_without_one():
    assert environment(torch.device("cpu"))["cuda_settings"] is None


def test_a_gpu_that_others_use_is_told_of_unless_company_is_meant():
    def told(used, sharing=1):
        return others_on_gpu({"cuda_settings": {"used_at_start": used}, "sharing": sharing})

    assert told(int(0.5e9)) is None, "the context of the cell itself"
    assert told(int(7.04e9)).startswith("7.0 GB of the GPU's memory were in use at the start")
    assert told(int(7e9), sharing=2) is None
    assert others_on_gpu({"cuda_settings": None, "sharing": 1}) is None


def test_a_cell_takes_its_place_by_the_gpus_own_number_and_without_one_none(monkeypatch):
    taken = []

    @contextmanager
    def place_on(uuid, company, waiting):
        taken.append((uuid, company))
        yield

    properties = SimpleNamespace(name="Made-up A1", uuid="GPU-5")
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: properties)
    monkeypatch.setattr("bench.metering.sharing.place_on", place_on)
    monkeypatch.setenv("BENCH_SHARING", "2")
    with place(torch.device("cuda", 0)), place(torch.device("cpu")):
        assert taken == [("GPU-5", 2)]
