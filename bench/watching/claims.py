"""Claims of ten thousand cells, looked at again and again: those in folders where nothing has changed are known."""

import time
from pathlib import Path

from bench.records.claims import Claim, current_claim

TICK = 2.0  # seconds: a folder that has just changed may do so again before its clock ticks


class Claims:
    """The claim that counts in each cell's folder."""

    def __init__(self) -> None:
        self._settled: dict[Path, tuple[int, Claim | None]] = {}

    def of(self, folder: Path) -> Claim | None:
        """As `current_claim`."""
        try:
            changed = folder.stat().st_mtime_ns
        except OSError:
            return None
        known = self._settled.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        claim = current_claim(folder)
        is_settled = claim is None or claim.is_released  # others change by the death of a process alone
        if is_settled and changed / 1e9 < time.time() - TICK:
            self._settled[folder] = changed, claim
        return claim
