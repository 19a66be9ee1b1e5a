"""How long sweeps will still take, as their own terminals foretell it: by what cells like those took."""

from collections.abc import Iterable, Mapping

from bench.sweeping.announcement import Announcement
from bench.sweeping.cost import Costs, likenesses


def seconds_left(
    said: Iterable[Announcement], taken: Mapping[str, float], shares: Mapping[str, float], running: int
) -> float | None:
    """Seconds until all cells of living sweeps are finished; None: none lives, or it cannot be judged yet.

    Args:
        said: what the sweeps run.
        taken: the seconds of cells that have finished, by their names.
        shares: how much of each cell is left to do, 0 to 1; cells that are finished are not in it.
        running: cells that run at a time.
    """
    alive = [one for one in said if one.is_alive]
    costs = Costs()
    for one in alive:
        for known, rate in one.rates.items():
            if len(known) == 3:
                costs.learn(likenesses(*known), 1.0, rate)
        for cell in one.cells:
            if cell.id in taken and cell.work > 0:
                costs.learn(likenesses(cell.model, cell.task, cell.method), cell.work, taken[cell.id])
    left = {cell.id: cell for one in alive for cell in one.cells if cell.id in shares}
    parts = [
        costs.seconds_for(likenesses(cell.model, cell.task, cell.method), cell.work * shares[cell.id])
        for cell in left.values()
    ]
    if not parts or None in parts:
        return 0.0 if alive and not parts else None
    return sum(part or 0.0 for part in parts) / max(1, running)
