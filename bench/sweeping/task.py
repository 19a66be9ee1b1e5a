"""What Hydra runs for one composed cell, in whichever process a launcher calls it."""

from omegaconf import DictConfig

from bench.configuration.compose import cell_of

ELSEWHERE = "elsewhere"  # what a launcher returns for a cell that another process runs


def run_task(config: DictConfig) -> str:
    """Run the cell that Hydra composed.

    Returns:
        The record's status; `ELSEWHERE` if another process runs the cell now.
    """
    from bench.records.claims import STALE_SECONDS, ClaimedError
    from bench.running.attempt import run_in_sweep

    try:
        # A cluster may start a job anew while its dead predecessor's claim still looks alive.
        return run_in_sweep(cell_of(config), patience=2 * STALE_SECONDS).status.value
    except ClaimedError:
        return ELSEWHERE
