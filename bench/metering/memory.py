"""Peak memory: of CUDA's allocator where there is one, else of the process's resident set."""

from pathlib import Path

import torch

from bench.records.schema import PhaseMemory

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_and_reset(device: torch.device) -> PhaseMemory:
    """The peaks since the last call; waits for the device.

    What lies idle in CUDA's allocator is given back: the next phase would reserve it from its beginning.
    """
    if device.type != "cuda":
        return PhaseMemory(peak_rss=_peak_rss_and_reset())
    torch.cuda.synchronize(device)
    peak = PhaseMemory(
        peak_allocated=torch.cuda.max_memory_allocated(device), peak_reserved=torch.cuda.max_memory_reserved(device)
    )
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return peak


def larger(first: PhaseMemory, second: PhaseMemory) -> PhaseMemory:
    """The larger of each peak; what was not measured counts for nothing."""

    def pick(a: int | None, b: int | None) -> int | None:
        return max((value for value in (a, b) if value is not None), default=None)

    return PhaseMemory(
        pick(first.peak_allocated, second.peak_allocated),
        pick(first.peak_reserved, second.peak_reserved),
        pick(first.peak_rss, second.peak_rss),
    )


def device_total(device: torch.device) -> int | None:
    """Bytes of memory that the device has; None for a CPU."""
    return torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else None


def _peak_rss_and_reset() -> int | None:
    """The process's peak resident set since the last call, in bytes; None where the system does not tell.

    Linux keeps the high-water mark itself (VmHWM), exactly, and lets a process reset its own by writing 5 to
    /proc/self/clear_refs; see proc(5).
    """
    if not CLEAR_REFS.exists():
        return None
    line = next((line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")), None)
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return None  # without the reset the mark would be that of an earlier phase
    return None if line is None else int(line.split()[1]) * 1024
