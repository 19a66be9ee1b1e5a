"""What was seen when a cell's settings were chosen: which records may stand in one table, and what its notes say.

Scores of rows that serve to choose settings (`data.score_on=selection`) are no results. Settings that were chosen on
the rows that are reported make for scores that are too good, beside those of settings that were chosen on others.
"""

import json
from collections import defaultdict
from functools import lru_cache
from typing import Any

import pandas as pd

from bench.configuration.choice import ELSEWHERE
from bench.configuration.schema import ScoreOn
from bench.errors import NotComparableError, NothingToShowError
from bench.tables.definition.options import Options

LISTED = 6  # cells, in messages
GIVEN = "given"  # settings that no study chose: published ones, or the user's own


@lru_cache(maxsize=65536)
def chosen_by(text: str) -> dict[str, Any]:
    """A record's `training.chosen_by`: the study that chose its settings; empty for none."""
    found: dict[str, Any] = json.loads(text or "{}")
    return found


def chosen_on(text: str) -> str:
    """On which rows a record's settings were chosen: `selection`, or `reported`, also where a study does not say."""
    study = chosen_by(text)
    if not study:
        return GIVEN
    return ScoreOn.selection.value if study.get("on") == ScoreOn.selection else ScoreOn.reported.value


def scored_alike(frame: pd.DataFrame, options: Options, experiment: str) -> tuple[pd.DataFrame, list[str]]:
    """Keep the records whose scores are of the rows that are asked for, `options.selection`.

    Returns:
        These, and what a reader must know of the rest and of them.

    Raises:
        NothingToShowError: there are none.
    """
    selects = frame["score_on"] == ScoreOn.selection.value
    kept, left = frame[selects == options.selection], int((selects != options.selection).sum())
    if options.selection:
        if kept.empty:
            raise NothingToShowError(
                f"no record of '{experiment}' has data.score_on=selection; leave selection=true out"
            )
        rows = (
            "; ".join(sorted({str(text) for text in kept["selection_rows"] if text})) or "which the records do not say"
        )
        notes = [f"NOT THE REPORTED ROWS (data.score_on=selection): scores to choose settings by, of {rows}"]
        return kept, notes + ([f"{left} record(s) that are scored on the reported rows are left out"] if left else [])
    if kept.empty:
        raise NothingToShowError(
            f"all {left} record(s) of '{experiment}' are scored on other rows than the reported ones "
            "(data.score_on=selection); selection=true shows them"
        )
    told = "are scored on other rows than the reported ones (data.score_on=selection) and left out"
    return kept, [f"{left} record(s) {told}"] if left else []


def protocol_notes(frame: pd.DataFrame, options: Options) -> list[str]:
    """How the settings of the records were chosen, and where the best of several evaluations was, on what is reported.

    Raises:
        NotComparableError: some were chosen on the reported rows, others on others, without `options.mix_selection`.
    """
    methods: dict[str, list[str]] = {ScoreOn.selection.value: [], ScoreOn.reported.value: [], GIVEN: []}
    for where, here in frame.groupby(frame["chosen_by"].astype(str).map(chosen_on), sort=True):
        methods[str(where)] = _names(here)
    clean, seen, given = methods.values()
    if clean and seen and not options.mix_selection:
        raise NotComparableError(
            f"settings chosen on the reported rows ({_some(seen)}) beside settings chosen on others ({_some(clean)}): "
            "their scores do not compare; tune both alike, or mix_selection=true shows them together"
        )
    notes = []
    if clean and seen:
        notes.append("MIXED, as mix_selection=true asks: settings chosen on the reported rows beside others")
    if clean:
        notes.append(f"settings chosen by a study on other rows than the reported ones{_trials(frame)}: {_some(clean)}")
    if seen:
        notes.append(f"settings chosen on the very rows that are reported{_trials(frame)}: {_some(seen)}")
    notes += _elsewhere(frame)
    if given and (clean or seen):
        notes.append(f"run at given settings, which no study chose: {_some(given)}")
    if not options.selection and (best := _names(frame[frame["kept_best"]])):
        notes.append(f"best of its evaluations on the reported split (training.keep_best): {_some(best)}")
    return notes


def _elsewhere(frame: pd.DataFrame) -> list[str]:
    """Which settings the records have that the trials of their study had not: what was best there need not be here."""
    told: dict[str, None] = {}
    for method, text in frame[["method", "chosen_by"]].drop_duplicates().itertuples(index=False, name=None):
        other = chosen_by(str(text)).get(ELSEWHERE)
        pairs = (
            [(key, pair) for key, pair in other.items() if isinstance(pair, list)] if isinstance(other, dict) else []
        )
        if pairs:
            differ = _some([f"{key} {' -> '.join(map(_plain, pair))}" for key, pair in pairs])
            told[f"{method} ({differ})"] = None
    return [f"chosen by trials with other settings (in the trials -> here): {_some(list(told))}"] if told else []


def _plain(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _names(frame: pd.DataFrame) -> list[str]:
    """What was run, `lora on t5_base`, each once."""
    pairs = frame[["method", "model"]].drop_duplicates().itertuples(index=False, name=None)
    return [f"{method} on {model}" for method, model in pairs]


def _some(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _trials(frame: pd.DataFrame) -> str:
    """`, 16 trials each`, or who had how many; `, 3600 device-seconds each (5 trials of full; 9 of lora)`."""
    counts: dict[Any, set[str]] = defaultdict(set)
    seconds = set()
    for method, text in frame[["method", "chosen_by"]].drop_duplicates().itertuples(index=False, name=None):
        if study := chosen_by(str(text)):
            trials, pruner = study.get("trials"), study.get("pruner")
            counts[trials if pruner is None else f"{trials} by {pruner}"].add(method)
            seconds.add(study.get("seconds"))
    if len(counts) == 1:
        (count,) = counts
        if count is None:
            return ""
        trials, by, pruner = str(count).partition(" by ")
        return f", {trials} trials each{by}{pruner}"
    told = "; ".join(f"{'?' if count is None else count} of {_some(sorted(has))}" for count, has in counts.items())
    if len(seconds) == 1 and seconds != {None}:
        return f", {seconds.pop()} device-seconds each (trials: {told})"
    return f", not by equally many trials ({told})"
