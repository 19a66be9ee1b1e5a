"""Settings that tell records of one model, task and method apart. Runs with different settings are never averaged."""

import json
from functools import lru_cache
from typing import Any

import pandas as pd

from bench.configuration.schema import ScoreOn
from bench.tables.definition.content import other_content
from bench.tables.definition.grid import setting_text

# Differences in these change no score: names, sources, where the data lie, and how the settings were found.
WITHOUT_EFFECT = frozenset({
    "model.title", "task.title", "method.title", "method.paper", "method.category", "data.root", "training.log_every",
    "training.chosen_by", "method.components",
})  # fmt: skip
# These change none but where the rows are scored that settings are chosen by.
OF_SELECTION = ("data.score_on", "data.selection_share", "data.selection_seed")
# Models that differ in one of these are two, whatever they are called, and whichever tasks and methods each has.
SOURCES = frozenset({"model.path", "model.hub", "model.revision", "model.shipped", "model.weights"})


# Not settings but what they mean: the states of a method's components, which make rows in tables of what these do.
COMPONENTS = "method.components"


@lru_cache(maxsize=65536)
def states_text(settings: str) -> str:
    """The states of a method's components, `prefix=on scale=off`, of JSON text; empty where none are declared."""
    states = json.loads(settings).get("method", {}).get("components") or {}
    return " ".join(f"{name}={state}" for name, state in states.items())


@lru_cache(maxsize=65536)
def flat_settings(settings: str) -> dict[str, str]:
    """The leaves of JSON text, `training.learning_rate` → "0.0001"; without nulls and what has no effect."""
    leaves: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if prefix in WITHOUT_EFFECT or value is None:
            return
        if isinstance(value, dict):
            for key, item in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), item)
        else:
            leaves[prefix] = setting_text(value)

    walk("", json.loads(settings))
    if leaves.get("data.score_on") != ScoreOn.selection:
        for key in OF_SELECTION:
            leaves.pop(key, None)
    return leaves


def tell_apart(cells: pd.DataFrame, row_keys: tuple[str, ...] = ()) -> tuple[pd.DataFrame, list[str]]:
    """Find the settings in which records of one model, task and method differ, other than the seed.

    Args:
        cells: with the columns model, task, method, settings, made_of (both JSON) and end.
        row_keys: settings that are row keys of the table; they are left out.

    Returns:
        The cells with a column for each of `row_keys` and the column `variant`, such as "learning_rate=0.001"
        (empty where all agree); and a note for each method whose settings differ, and for other content.
    """
    cells = cells.copy()
    for key in row_keys:
        texts = cells["settings"]
        cells[key] = [states_text(text) if key == COMPONENTS else flat_settings(text).get(key, "") for text in texts]
    variants = pd.Series("", index=cells.index, dtype=object)
    notes = []
    within = ["task"] + [COMPONENTS] * (COMPONENTS in row_keys)  # what a component's state means tells no records apart
    distinct = cells[["model", "method", "settings", *within]].drop_duplicates()
    sources = {model: _differing(list(group)) & SOURCES for model, group in distinct.groupby("model")["settings"]}
    for (model, method), group in distinct.groupby(["model", "method"], sort=False):
        keys: set[str] = set(sources[model])
        for _, texts in group.groupby(within, sort=False)["settings"]:
            keys |= _differing(list(texts))
        shown = sorted(keys - set(row_keys))
        if not shown:
            continue
        here = (cells["model"] == model) & (cells["method"] == method)
        variants[here] = [_label(flat_settings(text), shown) for text in cells.loc[here, "settings"]]
        notes.append(f"{method} on {model} was run with different settings, shown apart: {', '.join(shown)}")
    contents, told = other_content(cells)
    both = zip(variants, contents, strict=True)
    cells["variant"] = pd.Series([", ".join(filter(None, pair)) for pair in both], index=cells.index, dtype=object)
    return cells, notes + told


def _differing(texts: list[str]) -> set[str]:
    """The keys in which settings differ; absent and null are the same."""
    flats = [flat_settings(text) for text in texts]
    if len(flats) < 2:
        return set()
    return {key for key in set().union(*flats) if len({flat.get(key) for flat in flats}) > 1}


def _label(flat: dict[str, str], keys: list[str]) -> str:
    last = [key.rpartition(".")[2] for key in keys]
    names = [short if last.count(short) == 1 else key for short, key in zip(last, keys, strict=True)]
    return ", ".join(f"{name}={flat.get(key, 'null')}" for name, key in zip(names, keys, strict=True))


# What a caption says of the training, in its words.
CAPTION = {
    "training.batch_size": "batch size",
    "training.epochs": "epochs",
    "training.max_steps": "steps at most",
    "data.limit_train": "training examples at most",
    "training.learning_rate": "learning rate",
    "training.schedule": "schedule",
    "training.max_length": "maximum length",
    "training.precision": "precision",
    "task.shots": "solved questions in front of each",
    "model.dtype": "frozen base in",
    "training.optimiser": "optimiser",
}
USUAL = {"model.dtype": "float32", "training.optimiser": "the method's"}  # where nothing else is, nothing is said


def settings_note(settings: pd.Series) -> str:
    """How the cells were trained, for the caption: `settings: batch size 32, learning rate 0.0001 to 0.001, …`.

    Args:
        settings: JSON text of each cell's settings.
    """
    flats = [flat_settings(text) for text in settings.unique()]
    parts = []
    for key, words in CAPTION.items():
        found = {flat.get(key, USUAL.get(key)) for flat in flats} - {None}
        values = [] if found == {USUAL.get(key)} else sorted(map(str, found), key=lambda text: (len(text), text))
        if len(values) > 1 and all(_is_number(value) for value in values):
            values.sort(key=float)
            parts.append(f"{words} {values[0]} to {values[-1]}")
        elif values:
            parts.append(f"{words} {' or '.join(values)}")
    return "settings: " + ", ".join(parts) if parts else "settings: not recorded"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
