"""What records were made of: runs of other weights, data or code are never averaged, and stale ones are told.

Beside settings, these tell records apart: fingerprints (docs/identity.md). The newest record's content makes the rows
that a table has anyway; runs of other content are rows of their own, labelled by the first digits of theirs.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pandas as pd

from bench.identity.digests import digest_of
from bench.identity.fingerprints import Comparisons, deciding
from bench.records.schema import Status

SHOWN = 8  # digits of a fingerprint
# The settings that say which model's weights, configuration and tokenizer a fingerprint is of.
SOURCE = ("path", "hub", "revision", "shipped", "weights", "architecture")
WORDS = {
    "weights": "weights", "configuration": "model configuration", "tokenizer": "tokenizer", "data": "data",
    "classes": "code",
}  # fmt: skip
Scope = tuple[str, ...]  # the kind, and of what: a model and its source, a split, a class


def other_content(cells: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Find the runs that were made of something else than the newest of their kind.

    Args:
        cells: with the columns model, settings, made_of (both JSON) and end.

    Returns:
        For each cell a label, such as "weights=1f2e3d4c", empty for most; and a note for each kind of content.
    """
    alike = cells.groupby(["model", "settings", "made_of"], sort=False, observed=True)  # few kinds of many cells
    kinds = [*alike["end"].agg(["max", "size"]).itertuples(name=None)]
    newest: dict[Scope, tuple[str, str]] = {}
    for kind, end, _ in kinds:
        for scope, digest in _contents(*kind):
            newest[scope] = max(newest.get(scope, ("", "")), (end, digest))
    labels, counted, unknown = [], Counter[str](), 0
    for kind, _, size in kinds:
        other: dict[str, list[str]] = defaultdict(list)
        for scope, digest in _contents(*kind):
            if newest[scope][1] != digest:
                other[scope[0]].append(digest)
        counted.update(dict.fromkeys(other, size))
        labels.append(", ".join(f"{WORDS[name]}={_short(digests)}" for name, digests in other.items()))
        unknown += 0 if deciding(_parsed(kind[-1])) else size
    notes = [
        f"{number} run(s) were made of other {WORDS[kind]} than the newest, and are rows of their own"
        for kind, number in counted.items()
    ]
    if unknown:
        notes.append(f"{unknown} of {len(cells)} record(s) do not say what they were made of: unknown")
    return [labels[kind] for kind in alike.ngroup()], notes


def stale_notes(cells: pd.DataFrame) -> list[str]:
    """Say which finished cells are stale by the files that can be seen from here."""
    comparisons = Comparisons()
    finished = cells[cells["status"].isin([Status.done.value, Status.unsupported.value])]
    groups = finished.groupby(["settings", "made_of"], sort=False, observed=True).size()
    found = Counter[str]()
    for (settings, made_of), number in groups.items():
        comparison = comparisons.of(_parsed(made_of), json.loads(settings))
        if comparison.changed:
            found[comparison.sentence] += number
    return [f"STALE: {why} since {number} of the cells were run" for why, number in found.items()]


def library_notes(cells: pd.DataFrame) -> list[str]:
    """Say where records were made with different libraries."""
    versions: dict[str, dict[str, None]] = defaultdict(dict)
    for made_of in cells["made_of"].unique():
        libraries = _parsed(made_of).get("libraries")
        for name, version in libraries.items() if isinstance(libraries, dict) else ():
            versions[name][str(version)] = None
    several = [f"{name} {' and '.join(found)}" for name, found in versions.items() if len(found) > 1]
    return [f"records of different libraries: {', '.join(several)}"] if several else []


@lru_cache(maxsize=65536)
def _contents(model: str, settings: str, made_of: str) -> tuple[tuple[Scope, str], ...]:
    """Every fingerprint that decides, and of what it is."""
    return tuple(_scoped(model, json.loads(settings).get("model"), deciding(_parsed(made_of))))


def _scoped(model: str, section: Any, found: dict[str, Any]) -> Iterator[tuple[Scope, str]]:
    source = {key: section.get(key) for key in SOURCE} if isinstance(section, dict) else {}
    for kind, digest in found.items():
        if isinstance(digest, dict):
            for name, one in digest.items():
                yield (kind, name), one
        else:
            yield (kind, model, json.dumps(source, sort_keys=True, default=str)), digest


def _short(digests: list[str]) -> str:
    return (digests[0] if len(digests) == 1 else digest_of(*digests))[:SHOWN]


@lru_cache(maxsize=65536)
def _parsed(made_of: str) -> dict[str, Any]:
    found = json.loads(made_of)
    return found if isinstance(found, dict) else {}
