"""A command of a page, parsed by the real parser and composed by the real composition, up to where work begins."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.cli.commands import run_command
from bench.configuration.compose import Configurations, cell_of
from bench.configuration.files import FilesReadOnce
from bench.running.soundness import check_components
from bench.sweeping.selection import selected

# Where each command has read all that it was told, and begins to work.
WORK = (
    "bench.sweeping.single.run_single",  # run
    "bench.cli.show_view.shown",
    "bench.models.found.look",  # show model.structure=discover
    "bench.running.task_check.look_at_task",
    "bench.running.method_check.look_at_method",
    "bench.running.model_check.look.look_at_model",
    "bench.tables.make_table",
    "bench.tables.contest.make_contest",
    "bench.findings.evaluate",
    "bench.findings.echo",
    "bench.findings.report.report",
    "bench.watching.serve.serve",
    "bench.tables.content.reference.set_reference",
    "bench.running.trained.read_cell",  # export
    "bench.running.push.check_push",  # export push=, which asks the hub
    "bench.running.trained.finished",  # evaluate
    "bench.cli.task_new.new_task",
    "bench.cli.doctor.examine",
)
# Who selects cells for whom. A grid of hundreds takes a minute to compose; its first cell says as much of the words.
SELECT = (
    "bench.sweeping.selection.select_cells",  # status, plan, cite
    "bench.sweeping.sweeper.select_cells",  # sweep, run -m
    "bench.cli.tune.select_cells",  # tune, fair
)

# All at once: a module that is first imported while something is replaced would keep what stands in its place.
for module in pkgutil.walk_packages(bench.__path__, "bench."):
    if module.name != "bench.__main__":
        importlib.import_module(module.name)

COMPOSED: dict[tuple[str, ...], Any] = {}
READ: dict[str, tuple[dict[str, Any], dict[Any, bool]]] = {}  # no file changes between two commands
INITIALIZE = FilesReadOnce.initialize_sources


class Reached(BaseException):
    """The command would now begin to work. No Exception, so that nothing that handles these swallows it."""


class BegunError(BaseException):
    """A command has begun to train: `WORK` no longer says where it begins to work."""


def held(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether `bench …` begins to work; what it refuses, it has said on standard error."""
    for path in WORK:
        monkeypatch.setattr(path, _reached)
    for path in SELECT:
        monkeypatch.setattr(path, _select)
    monkeypatch.setattr("bench.sweeping.fetch.differing", _first)
    monkeypatch.setattr("bench.running.runner.attempt", _begun)
    monkeypatch.setattr(FilesReadOnce, "initialize_sources", _initialize_sources)
    try:
        run_command(words)
    except Reached:
        return True
    return False


def _initialize_sources(files: FilesReadOnce, search_path: Any) -> None:
    INITIALIZE(files, search_path)
    files._read, files._exists = READ.setdefault(str(search_path), ({}, {}))


def _reached(*_: Any, **__: Any) -> None:
    raise Reached


def _begun(*_: Any, **__: Any) -> None:
    raise BegunError


def _select(arguments: list[str], compose: Callable[..., Any], folders: Sequence[Path], *_: Any) -> None:
    arguments = ["method=lora" if argument == "method=all" else argument for argument in arguments]

    def known(overrides: Sequence[str]) -> Any:  # most pages name the same experiments
        key = *map(str, folders), *overrides
        if key not in COMPOSED:
            COMPOSED[key] = compose(list(overrides))
        return COMPOSED[key]

    _first(selected(arguments, known), known)


def _first(wanted: Sequence[Sequence[str]], compose: Callable[..., Any] | None = None) -> None:
    """Compose the first of the cells, and build its method and its task."""
    if compose is None:
        with Configurations() as configurations:
            _first(wanted, configurations.compose)
    else:
        check_components([cell_of(compose(wanted[0]))])
    raise Reached
