"""What a record says of the machine."""

import torch

from bench.metering.environment import environment


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
