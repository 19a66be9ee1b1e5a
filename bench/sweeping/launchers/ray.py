"""Cells as tasks of a Ray cluster: a running one, or a local one that lives as long as the sweep.

hydra-ray-launcher cannot be installed beside scikit-learn (it wants cloudpickle < 3, joblib wants 3 or newer), and
gives up when one task dies; this is the same idea on Ray itself.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from bench.configuration.ranges import NOT_NEGATIVE, POSITIVE, Range, check_number
from bench.errors import UserError
from bench.identity.libraries import HARNESS
from bench.sweeping.launchers.cluster import ClusterLauncher, Job, Outcome, Resources, run_there
from bench.sweeping.progress import CellProgress

MISSING = f"hydra/launcher=ray needs its extra: pip install '{HARNESS}[ray]'"
STORE_BYTES = 80_000_000  # Ray's own minimum; only configurations and records pass through it


class RayLauncher(ClusterLauncher):
    """`hydra/launcher=ray`."""

    def __init__(
        self,
        *,
        address: str | None,
        cpus: float,
        gpus: float | None,
        memory_gb: float | None,
        retries: int,
        workers: int | None,
        timeout: float | None = None,
    ) -> None:
        """Create the launcher.

        Args:
            address: of a running cluster; None: start one on this machine.
            cpus: of each cell.
            gpus: of each cell, may be a fraction; None: one where the cluster has GPUs.
            memory_gb: of each cell, only to decide how many fit on a node; None: not considered.
            retries: how often a cell is started again whose process or node died.
            workers: cells at a time; None: as many as fit.
            timeout: seconds that a cell may take; None: any.

        Raises:
            UserError: a number that is out of its range.
        """
        check_number("cpus", cpus, POSITIVE)
        check_number("gpus", gpus, NOT_NEGATIVE)
        check_number("memory_gb", memory_gb, POSITIVE)
        check_number("retries", retries, Range(0, 10**6, whole=True))
        sharing = int(1 / gpus) if gpus is not None and 0 < gpus < 1 else 1
        super().__init__(Resources(max(1, int(cpus)), sharing, timeout), workers)
        self._address, self._cpus, self._gpus, self._memory_gb = address, cpus, gpus, memory_gb
        self._retries = retries

    def answers(self, jobs: Sequence[Job], progress: CellProgress) -> Iterator[tuple[Job, Outcome]]:
        """Hand the jobs to Ray, and wait for them; what still runs ends with the connection."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # the harness reports nothing to anybody
        try:
            import ray
        except ImportError as error:
            raise UserError(MISSING) from error
        self._connect(ray)
        try:
            there = _resources(ray)
            gpus = self._gpus if self._gpus is not None else min(1.0, there.get("GPU", 0.0))
            _check_room(there, max(job.processes for job in jobs), CPU=self._cpus, GPU=gpus)
            task = self._task(ray)
            pending = list(reversed(jobs))
            running: dict[Any, Job] = {}
            while pending or running:
                while pending and len(running) < (self.workers or len(jobs)):
                    job = pending.pop()
                    size = {"num_cpus": self._cpus * job.processes, "num_gpus": gpus * job.processes}
                    running[task.options(**size).remote(job)] = job
                for handle in ray.wait(list(running))[0]:
                    yield running.pop(handle), _outcome(ray, handle)
        finally:
            ray.shutdown()

    def _connect(self, ray: Any) -> None:
        local = {"include_dashboard": False, "object_store_memory": STORE_BYTES} if self._address is None else {}
        try:
            ray.init(address=self._address or "local", log_to_driver=False, logging_level="ERROR", **local)
        except (ConnectionError, ValueError, RuntimeError) as error:
            said = str(error).strip().splitlines()[0]
            hint = "if it is there and asks for a token, set RAY_AUTH_MODE=token"
            raise UserError(f"hydra/launcher=ray: no cluster at address={self._address} ({said}); {hint}") from error

    def _task(self, ray: Any) -> Any:
        memory = {} if self._memory_gb is None else {"memory": self._memory_gb * 2**30}
        # max_calls: a process of its own for each cell, so that its memory figures are clean
        return ray.remote(max_calls=1, max_retries=self._retries, **memory)(run_there)


def _resources(ray: Any) -> dict[str, float]:
    """What the cluster has in all."""
    return dict(ray.cluster_resources())


def _check_room(there: dict[str, float], processes: int, **each: float) -> None:
    """Ray itself would wait for ever for what no node has."""
    for name, wanted in each.items():
        if wanted * processes > there.get(name, 0):
            raise UserError(
                f"a cell asks for {wanted * processes:g} {name}, the Ray cluster has {there.get(name, 0):g}"
            )


def _outcome(ray: Any, handle: Any) -> Outcome:
    try:
        outcome: Outcome = ray.get(handle)
    except ray.exceptions.RayError as error:
        outcome = error
    return outcome
