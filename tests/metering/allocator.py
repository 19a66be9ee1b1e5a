"""What PyTorch's own allocator says of a piece of work on the CPU."""

from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile


def allocator_peak(work: Callable[[], object], before: int) -> int:
    """Bytes at the largest moment of `work`, by the profiler's record of every allocation; independent of our tracker.

    Args:
        work: to be done.
        before: bytes that live already.
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = before
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak
