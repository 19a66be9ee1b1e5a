"""Whether tasks and methods take the settings that cells give them: each distinct one is built once, before any work.

Building imports torch. What was built from the package's own classes is remembered between commands, as long as no
code changes, so that a sweep of ten thousand cells that goes on imports nothing.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.configuration.schema import Family
from bench.errors import UnsupportedError
from bench.models.declared import check_written
from bench.system.cache import cache_folder, write_once

PACKAGE = Path(__file__).parents[1]


def check_components(cells: Iterable[Cell]) -> None:
    """Refuse cells whose task or method does not take its settings, or whose model's structure is no entry.

    Raises:
        UserError: no such class, a setting that it has not, one that is missing, or a value that it refuses.
    """
    wanted: dict[str, tuple[str, dict[str, Any], str]] = {}
    for cell in cells:
        check_written(cell.config["model"]["structure"], cell.config["model"]["family"])
        wanted |= {text: (kind, config, family) for kind, config, family, text in _parts(cell)}
    if not wanted:
        return
    file = cache_folder() / "sound" / f"{_code()}.json"
    try:
        known = set(json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        known = set()
    found = set()
    for text, (kind, config, family) in wanted.items():
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        if digest in known:
            continue
        _build(kind, config, family)
        if all(target.startswith("bench.") for target in _targets(config)):
            found.add(digest)
    if found:
        # What cannot be kept is built again.
        with suppress(OSError):
            write_once(file, lambda path: _write(path, known | found))


def _build(kind: str, config: dict[str, Any], family: str) -> None:
    from bench.methods.base import Method
    from bench.tasks.build import task_from

    # What a method cannot do is a cell's result, not a mistake.
    with suppress(UnsupportedError):
        task_from(config).on(Family(family)) if kind == "task" else build(config, Method)


def _write(path: Path, digests: set[str]) -> None:
    path.write_text(json.dumps(sorted(digests)))


def _parts(cell: Cell) -> Iterator[tuple[str, dict[str, Any], str, str]]:
    family = str(cell.config["model"]["family"])
    for kind in ("task", "method"):
        config = cell.config[kind]
        yield kind, config, family, json.dumps([kind, config, family], sort_keys=True, default=str)


def _targets(value: Any) -> Iterator[str]:
    """The classes that a configuration names, those of its parts too."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "_target_":
                yield str(item)
            yield from _targets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _targets(item)


def _code() -> str:
    """Changes when a file of the package does."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        status = file.stat()
        digest.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:32]
