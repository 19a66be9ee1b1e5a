"""Which experiments there are records of."""

from pathlib import Path

from bench.records.finding import find_records


def experiments(results_dir: str) -> list[str]:
    """The experiments that have records directly in `results_dir`.

    Copies from other machines lie in `published`; in `tuning` are trials, of which nothing is reported.
    """
    found: dict[str, None] = {}
    for path in find_records(results_dir):
        parts = Path(path).relative_to(results_dir).parts[:-2]
        if parts and parts[0] not in ("published", "tuning"):
            found["/".join(parts)] = None
    return sorted(found)
