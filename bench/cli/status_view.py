"""Where the cells of an experiment stand, in the terminal."""

from collections.abc import Iterable
from datetime import timedelta

from rich.console import Console

from bench.sweeping.status import ORDER, RUNNING, Standing


def show(found: Iterable[Standing], console: Console) -> None:
    """All of it, for people."""
    for standing in found:
        counts = [f"{standing.counts[name]} {name.replace('_', ' ')}" for name in ORDER if standing.counts[name]]
        lines = [f"{standing.experiment}: {standing.counts.total()} cells, {', '.join(counts)}"]
        for one in standing.running:
            age = "?" if one.seconds is None else str(timedelta(seconds=round(one.seconds)))
            who = f"process {one.pid} on {one.host}, last sign of life {one.last_sign_of_life:.0f} s ago"
            lines.append(f"  {RUNNING} {one.cell}  {age}  {who}")
        lines += [f"  {failure.status} {failure.cell}  {failure.error}" for failure in standing.failures]
        lines += [f"  stale: {reason}" for reason in standing.verdicts.reasons]
        lines += [f"  {remark}" for remark in standing.verdicts.remarks]
        console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
