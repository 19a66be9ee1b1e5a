"""Chosen settings as files: one for each model × task × method, which Hydra finds with `--config-dir FOLDER`.

`FOLDER/chosen/<model>/<task>/<method>.yaml`; `configs/config.yaml` takes it last, so that it holds for this one cell of
the grid and no file of the project or of the user's is touched. Beside them the trials, and what they have bought, as
CSV.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from bench.configuration.choice import UNDER, VALUES, circumstances
from bench.errors import UserError
from bench.records.store import write_atomically
from bench.tuning.bought import best_within, default_trial, equal_seconds, together
from bench.tuning.front import figures_of, on_front
from bench.tuning.result import Outcome, Result
from bench.tuning.space import RATE_KEY

GROUP = "chosen"


def write_chosen(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write a file for every study that has chosen something, `trials.csv` and `expected.csv`.

    Raises:
        UserError: the folder cannot be written to.
    """
    texts = {_file(folder, result): _yaml(result, result.best) for result in results if result.best is not None}
    texts |= {folder / "trials.csv": _csv(_trials(results)), folder / "expected.csv": _csv(_expected(results))}
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from error
    return list(texts)


def chosen_by(result: Result, best: Outcome) -> dict[str, Any]:
    """Who chose the settings, as data: `training.chosen_by`."""
    study, data = result.study, best.record.cell.config["data"]
    told = {
        "study": study.name,
        "trial": best.number,
        "on": data["score_on"],
        "holdout": {"share": data["selection_share"], "seed": data["selection_seed"]},
        "seeds": list(study.protocol.seeds),
        "trials": len(result.outcomes),
        "sampler": str(study.protocol.sampler),
        "trainings": round(result.trainings, 4),
        "device_seconds": round(result.device_seconds, 3),
    }
    pruner = study.protocol.pruner
    if not pruner.is_none:
        told["pruner"] = str(pruner)
    return told if study.protocol.seconds is None else told | {"seconds": study.protocol.seconds}


def _file(folder: Path, result: Result) -> Path:
    cell = result.study.cell
    return folder / GROUP / cell.model / cell.task / f"{cell.method}.yaml"


def _yaml(result: Result, best: Outcome) -> str:
    by = chosen_by(result, best)
    under = circumstances(result.study.cell.config, best.parameters)
    told = {key: _plain(value) for key, value in under.items()}
    scored = f"{result.metric.name} {best.score:.4g} on the selection data"
    origin = f"trial {best.number} of {by['trials']} (from 0), {scored}"
    lines = [
        "# @package _global_",
        f"# Chosen by `bench tune` for {result.study.title}; it holds with --config-dir and this file's folder.",
        f"# Study {by['study']}, {origin}.",
        f"# {_when(best)}; {_commit(best)}. Searched: {result.study.space}.",
        *(f"# {edge}." for edge in result.study.space.edges(best.parameters)),
        "training:",
        f"  learning_rate: {_plain(best.parameters[RATE_KEY])} # {origin}",
        "  chosen_by:",
        *_nested({key: _plain(value) for key, value in by.items()}, 2),
        "    # The choice is of these values, for trials with these settings; cells with others say so.",
        *_nested({VALUES: _plain(best.parameters), UNDER: told}, 2),
    ]
    knobs: dict[str, Any] = {}
    for key, value in best.parameters.items():
        if key != RATE_KEY:
            *parts, last = key.split(".")
            reduce(lambda inner, part: inner.setdefault(part, {}), parts, knobs)[last] = f"{_plain(value)} # {origin}"
    return "\n".join([*lines, *_nested(knobs), ""])


def _nested(told: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Lines of YAML. Keys are quoted where they are no plain words to it: it takes `on` for true."""
    for key, value in told.items():
        name = key if yaml.safe_load(key) == key else _plain(key)
        if isinstance(value, dict):
            yield f"{'  ' * depth}{name}:"
            yield from _nested(value, depth + 1)
        else:
            yield f"{'  ' * depth}{name}: {value}"


def _when(best: Outcome) -> str:
    return str(best.record.environment.get("end") or datetime.now(UTC).isoformat())[:10]


def _commit(best: Outcome) -> str:
    git = best.record.environment.get("git")
    if not isinstance(git, dict):
        return "commit unknown"
    return f"commit {git.get('commit')}{' with changes' if git.get('dirty') else ''}"


def _plain(value: Any) -> str:
    """A value in one line of YAML."""
    return json.dumps(value, ensure_ascii=False)


def _trials(results: Sequence[Result]) -> Iterator[list[Any]]:
    figures = ["metric", "score", "epochs", "status", "train_seconds", "device_seconds"]
    figures += ["made_of", "kept", "train_peak", "front"]
    front = on_front(results)
    yield ["model", "task", "method", "trial", "parameters", *figures]
    for result in results:
        for one in result.outcomes:
            score = "" if one.score is None else one.score
            parameters = json.dumps(dict(one.parameters))
            named = [*_names(result), one.number, parameters, result.metric.name]
            seconds = [round(one.seconds, 3), round(one.device_seconds, 3)]
            told, is_on = figures_of(one.record), (result.study.name, one.number) in front
            made = [told.title, *("" if value is None else value for value in (told.kept, told.train_peak))]
            yield [*named, score, result.study.epochs(one.cuts), one.status, *seconds, *made, "yes" if is_on else "no"]


def _expected(results: Sequence[Result]) -> Iterator[list[Any]]:
    yield [
        "model", "task", "method", "trials", "metric", "expected_best", "sensitivity", "near_default", "equal_seconds",
        "best_within_equal_seconds",
    ]  # fmt: skip
    for group in together(results).values():
        seconds = equal_seconds(group)
        for result in group:
            near, within = default_trial(result), None if seconds is None else best_within(result, seconds)
            told = [result.sensitivity, None if near is None else near.score, seconds, within]
            for count, score in result.bought.items():
                yield [*_names(result), count, result.metric.name, score, *("" if one is None else one for one in told)]


def _names(result: Result) -> list[str]:
    cell = result.study.cell
    return [cell.model, cell.task, cell.method]


def _csv(rows: Iterator[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
