"""Records → a data frame, a row per cell, and what else there is to know of an experiment."""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa

from bench.errors import NothingToShowError
from bench.records.belonging import elsewhere, in_one_line
from bench.records.kept import columns_of
from bench.records.schema import Status
from bench.system.terminal import warn
from bench.tables.definition.content import library_notes, stale_notes
from bench.tables.definition.grid import ExpectedCell, expected_cells
from bench.tables.definition.missing import missing_cells
from bench.tables.definition.options import Options
from bench.tables.definition.protocol import protocol_notes, scored_alike
from bench.tables.definition.pscp import pscp_of
from bench.tables.definition.quantities import PSCP
from bench.tables.definition.settings import tell_apart


@dataclass(frozen=True)
class Records:
    """The records of one experiment that count, miniature or real but never both.

    Attributes:
        experiment: its name.
        miniature: whether these are records of the artificial data or models.
        cells: one row per cell, with the columns of `bench.records.columns.COLUMNS` and `variant`: the settings
            that tell several records of one model, task and method apart; empty where there is nothing to tell.
        expected: the cells that the experiment's grid asks for.
        notes: what a reader of a table made from them must know, one sentence each.
    """

    experiment: str
    miniature: bool
    cells: pd.DataFrame
    expected: list[ExpectedCell]
    notes: list[str] = field(default_factory=list)

    @cached_property
    def missing(self) -> list[ExpectedCell]:
        """The expected cells that have no record."""
        return missing_cells(self.expected, self.cells)


def load_records(
    results_dir: str | Path, experiment: str, row_keys: tuple[str, ...] = (), options: Options | None = None
) -> Records:
    """Read an experiment's records and keep those that count.

    Args:
        results_dir: where records lie.
        experiment: a name such as `survey/glue`.
        row_keys: settings, such as `training.learning_rate`, that are rows of the table and so need no telling apart.
        options: of the table; of these, which rows the scores may be of, see `bench.tables.definition.protocol`.

    Raises:
        NothingToShowError: there are none; the message says which command makes some.
        NotComparableError: records that do not go together in one table.
    """
    options = options or Options()
    columns, unreadable = columns_of(results_dir, experiment)
    frame = frame_of(columns)
    if frame.empty and unreadable:
        raise NothingToShowError(f"none of the {unreadable} record(s) of '{experiment}' in {results_dir} can be read")
    foreign = int((frame["experiment"] != experiment).sum())
    frame = frame[frame["experiment"] == experiment]
    if frame.empty:
        raise NothingToShowError(nothing_to_show(results_dir, experiment))
    notes = [f"{unreadable} record(s) cannot be read and are left out"] if unreadable else []
    notes += [f"{foreign} record(s) of other experiments in the same folder are left out"] if foreign else []
    frame, note = _of_their_cells(frame, results_dir, experiment)
    notes += [note] if note else []
    frame, miniature, note = _one_kind(frame, experiment)
    notes += [note] if note else []
    frame, told = scored_alike(frame, options, experiment)
    notes += told
    frame, told = tell_apart(frame, row_keys)
    notes += told
    frame, note = _newest_finished(frame, row_keys)
    notes += [note] if note else []
    frame = frame.assign(**{PSCP: pscp_of(frame, options.pscp)})
    newest = frame.sort_values("end")["grid"].iloc[-1]
    expected = expected_cells(json.loads(newest))
    notes += [*protocol_notes(frame, options), *stale_notes(frame), *library_notes(frame), *_origin_notes(frame)]
    return Records(experiment, miniature, frame.reset_index(drop=True), expected, notes)


def frame_of(table: pa.Table) -> pd.DataFrame:
    """The columns of records as pandas has them: `metrics` as a dict per row, long texts as categories."""
    metrics = table["metrics"].combine_chunks()
    pairs = [*zip(metrics.keys.to_pylist(), metrics.items.to_pylist(), strict=True)]
    ends = metrics.offsets.to_pylist()
    curve = pd.Series(table["curve"], dtype=pd.ArrowDtype(table["curve"].type))  # only one figure looks at these
    frame = table.drop(["metrics", "curve"]).to_pandas().assign(curve=curve)
    frame["metrics"] = [dict(pairs[start:end]) for start, end in itertools.pairwise(ends)]
    return frame


def nothing_to_show(results_dir: str | Path, experiment: str) -> str:
    """One line: there are no records, and the command that makes some."""
    folder = "" if str(results_dir) == "results" else f" results_dir={results_dir}"
    command = "bench run model=… task=… method=…" if experiment == "runs" else f"bench sweep experiment={experiment}"
    return f"no records of the experiment '{experiment}' in {results_dir}; make some with: {command}{folder}"


def of_their_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the records that are of the cell in whose folder they lie; copies and changed names are told."""
    problems = [
        problem or elsewhere(name, path)
        for name, path, problem in zip(
            *(frame[name].to_numpy(object) for name in ("id", "path", "contradiction")), strict=True
        )
    ]
    for path, problem in zip(frame["path"].to_numpy(object), problems, strict=True):
        if problem:
            warn(in_one_line(path, problem))
    return frame.loc[[not problem for problem in problems]]


def _of_their_cells(frame: pd.DataFrame, results_dir: str | Path, experiment: str) -> tuple[pd.DataFrame, str | None]:
    kept = of_their_cells(frame)
    left = len(frame) - len(kept)
    if kept.empty:
        raise NothingToShowError(f"none of the {left} record(s) of '{experiment}' in {results_dir} is of its cell")
    return kept, f"{left} record(s) that are not of their cell are left out" if left else None


def _one_kind(frame: pd.DataFrame, experiment: str) -> tuple[pd.DataFrame, bool, str | None]:
    """Keep the real or the miniature records: what the experiment's name says, else the real ones if there are any."""
    miniature = experiment.startswith("miniature/") or bool(frame["miniature"].all())
    kept = frame[frame["miniature"] == miniature]
    left = len(frame) - len(kept)
    if kept.empty:
        raise NothingToShowError(
            f"all {left} record(s) of '{experiment}' are real ones, none is miniature; move them elsewhere"
        )
    kind = "real" if miniature else "miniature"
    return kept, miniature, f"{left} {kind} record(s) in the same folder are left out" if left else None


def _newest_finished(frame: pd.DataFrame, row_keys: tuple[str, ...]) -> tuple[pd.DataFrame, str | None]:
    """One record per cell: the newest finished one; where none finished, the newest."""
    cell = ["model", "task", "method", "variant", "seed", *row_keys]
    ranked = frame.assign(_done=frame["status"] == Status.done.value).sort_values(["_done", "end"], kind="stable")
    kept = ranked.drop_duplicates(cell, keep="last").drop(columns="_done").sort_index()
    twice = len(frame) - len(kept)
    return kept, f"{twice} duplicate record(s) left out: the newest finished one of each cell counts" if twice else None


def _versions(revisions: Iterable[str]) -> int:
    """In how many versions the split of which there are most was read; older records do not name every split."""
    seen: dict[str, set[str]] = defaultdict(set)
    for text in revisions:
        for split, revision in json.loads(text).items():
            seen[split].add(str(revision))
    return max((len(versions) for versions in seen.values()), default=0)


def _origin_notes(frame: pd.DataFrame) -> list[str]:
    """Say where runs come from several machines, saw different data, or were cut short."""
    notes = []
    hosts = sorted({str(host) for host in frame["host"].dropna().unique() if host})
    if len(hosts) > 1:
        devices = sorted({str(device) for device in frame["accelerator"].dropna().unique() if device})
        notes.append(f"records from {len(hosts)} machines ({', '.join(devices)})")
    for task, revisions in frame[frame["data"] != "{}"].groupby("task", sort=False, observed=True)["data"]:
        if (versions := _versions(revisions.unique())) > 1:
            notes.append(f"{task} was run on {versions} different versions of its data")
    trials = frame[frame["trial"] != ""]
    if len(trials):
        kinds = sorted(trials["trial"].unique())
        what = "; ".join(kinds[:3]) + ("; …" if len(kinds) > 3 else "")
        notes.append(f"TRIAL RUNS: {len(trials)} of {len(frame)} cells were cut short ({what})")
    return notes
