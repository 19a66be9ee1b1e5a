"""How often equal methods are told apart: the level of the tests behind letters, for docs/statistics.md.

    python -m scripts.measure_ties [--repeats 10000]

Differences are normal. Seeds and items have standard deviations of their own, in units of what is left.
"""

import argparse
import itertools

import numpy as np

from bench.tables.statistics.differences import Spread, over_both, over_one, p_values

ITEMS = 60
SEEDS = (2, 3, 5, 10)
SPREADS = (0.0, 0.1, 0.3, 1.0, 3.0)
PAIRS = tuple(itertools.product(SPREADS, SPREADS))
STRICT = 0.001  # as Holm's correction over fifty comparisons asks for first


def main() -> None:
    """Print the share that is tied over seeds, and the least and largest share over seeds and items."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10_000)
    repeats = parser.parse_args().repeats
    for seeds in SEEDS:
        random = np.random.default_rng(seeds)
        alone = _tied(over_one(random.normal(0, 1, (repeats, seeds))))
        rest = random.normal(0, 1, (repeats, seeds, ITEMS))
        of_seeds, of_items = random.normal(0, 1, (repeats, seeds, 1)), random.normal(0, 1, (repeats, 1, ITEMS))
        spreads = {pair: over_both(rest + pair[0] * of_seeds + pair[1] * of_items) for pair in PAIRS}
        found = {pair: _tied(spread) for pair, spread in spreads.items()}
        strict = max(1 - _tied(spread, STRICT) for spread in spreads.values())
        nothing = found.pop((0.0, 0.0))
        low, high = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
        print(
            f"{seeds} seeds: {alone:.1%}; with items {found[low]:.1%} {low} to {found[high]:.1%} {high}, "
            f"{nothing:.1%} where neither has a spread of its own; told apart at {STRICT:.1%}: {strict:.2%} at most"
        )


def _tied(spread: Spread, level: float = 0.05) -> float:
    return float((p_values(spread) >= level).mean())


if __name__ == "__main__":
    main()
