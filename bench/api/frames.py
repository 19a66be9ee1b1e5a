"""`bench.records` and `bench.table`: records and tables as pandas frames, read as `bench table` reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from bench.api.told import in_one_line
from bench.configuration.origins import leaves
from bench.errors import UserError, unknown_name
from bench.records.columns import read_columns
from bench.records.finding import find_records
from bench.tables.content.build import make_table
from bench.tables.definition.frame import frame_of, of_their_cells
from bench.tables.definition.options import Options
from bench.tables.definition.quantities import PSCP, QUANTITIES
from bench.tables.formats.csv_files import wide_frame
from bench.tables.formats.tidy import CELL, ORIGIN, SETTING_COLUMNS, settings_columns

# Of a table alone: what tells its rows apart, and a score that has constants.
ABOUT = tuple(name for name in CELL if name != "variant")
MEASURED = tuple(name for name in QUANTITIES if name != PSCP)
SCORES = ("main", "score", "metrics", "curve")
COLUMNS = (*ABOUT, *SCORES, *MEASURED, *SETTING_COLUMNS, *ORIGIN)  # docs/python.md says what each of them is


@in_one_line
def records(results_dir: str | Path = "results", experiment: str = "", *, settings: Sequence[str] = ()) -> pd.DataFrame:
    """All records below a folder, a row for each, whatever became of its cell.

    Args:
        results_dir: where they lie.
        experiment: those of this one only, `miniature/glue`; "": all.
        settings: further settings that shall be columns, `method.r`.

    Returns:
        The columns `COLUMNS` and `settings`; docs/python.md has the meaning and unit of each. Records that cannot be
        read, or are not of the cell in whose folder they lie, are left out, and told on standard error.

    Raises:
        UserError: no such folder, or a setting that no record has.
    """
    if not Path(results_dir).is_dir():
        raise UserError(f"cannot read the results folder {results_dir}: no such folder")
    return records_at(find_records(results_dir, experiment), settings)


def records_at(paths: list[str], settings: Sequence[str] = ()) -> pd.DataFrame:
    """The records at `paths`; see `records`."""
    if isinstance(settings, str):
        raise UserError(f"settings={settings}: give a list of names")
    frame = of_their_cells(frame_of(read_columns(paths))).reset_index(drop=True)
    if settings and not frame.empty:
        known = {key for text in frame["settings"].unique() for key, _ in leaves(orjson.loads(text))}
        for key in set(settings) - known:
            raise unknown_name("setting", key, known)
    main = zip(frame["metrics"], frame["main"], strict=True)
    frame = frame.assign(**{name: pd.to_numeric(frame[name]) for name in MEASURED})
    frame["score"] = pd.Series([metrics.get(name) for metrics, name in main], dtype=float)
    columns = settings_columns(frame["settings"], dict.fromkeys([*SETTING_COLUMNS, *settings]))
    further = [key for key in dict.fromkeys(settings) if key not in SETTING_COLUMNS]
    return pd.concat([frame.astype({"experiment": str, "chosen_by": str}), columns], axis=1)[[*COLUMNS, *further]]


@in_one_line
def table(
    experiment: str,
    definition: str | None = None,
    *,
    results_dir: str | Path = "results",
    config_dir: str | Path | None = None,
    statistic: str = "mean",
    interval: bool = False,
    level: float = 0.95,
    compare: str | None = None,
    selection: bool = False,
    mix_selection: bool = False,
    columns: Sequence[str] = (),
    show: Sequence[str] = (),
    pscp: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """One table of an experiment's records, as `bench table` makes it and with its options.

    Args:
        experiment: its name.
        definition: a file in `configs/table/`; None: the experiment's own.
        results_dir: where its records lie.
        config_dir: a folder of your own, as `--config-dir`.
        statistic: over seeds, "mean" or "median".
        interval: has a bootstrap confidence interval over seeds, in `<column>.low` and `<column>.high`.
        level: of the interval.
        compare: a method; scores get the p of the paired comparison with its own, in `<column>.p`.
        selection: shows the cells with `data.score_on=selection`, and no others.
        mix_selection: shows cells whose settings were chosen on the reported rows beside others.
        columns: fields that stand beside what the definition shows.
        show: the columns to show, in this order; empty: all.
        pscp: constants of the column `pscp`, by name: `{"memory": 24e9}`.

    Returns:
        A row for each row of the table, the columns of `bench.tables.formats.csv_files.wide_frame`. Of the frame,
        `attrs["notes"]` is the list of notes that a reader has to know, `attrs["title"]` the caption, and
        `attrs["command"]` the command that prints it.

    Raises:
        UserError: nothing to show, records that do not go together, or an unknown name; one line.
    """
    words: dict[str, Any] = {"statistic": statistic, "level": level, "compare": compare}
    words |= {"interval": interval, "selection": selection, "mix_selection": mix_selection}
    words |= {"columns": _listed("columns", columns), "show": _listed("show", show)}
    words |= {f"pscp.{name}": value for name, value in (pscp or {}).items()}
    given = {key: _text(value) for key, value in words.items() if value not in (None, "")}
    folder = None if config_dir is None else str(config_dir)
    made = make_table(str(results_dir), experiment, definition, Options.of(given), folder)
    frame = wide_frame(made)
    frame.attrs = {"notes": list(made.notes), "title": made.title, "command": made.command}
    return frame


def _listed(key: str, names: Sequence[str]) -> str:
    if isinstance(names, str):
        raise UserError(f"{key}={names}: give a list of names")
    return ",".join(names)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
