"""The parts of a record that hold whatever they hold: its configuration, its environment, its evaluations.

Records of user-made tools may lack parts of them. What is there, and what tables and sweeps read, is as they expect it.
"""

import math
from functools import lru_cache
from typing import Any

import orjson

NUMBER, TEXT, LIST, MAPPING = (int, float), (str,), (list,), (dict,)
WORDS = {NUMBER: "number", TEXT: "text", LIST: "list", MAPPING: "mapping"}
SECTIONS: dict[str, dict[str, tuple[type[Any], ...]]] = {
    "experiment": {"grid": LIST},
    "model": {"title": TEXT},
    "task": {"title": TEXT, "subjects": LIST},
    "method": {"title": TEXT, "category": TEXT},
    "training": {"max_steps": NUMBER, "evaluations": NUMBER, "chosen_by": MAPPING},
    "data": {"limit_train": NUMBER, "limit_evaluation": NUMBER, "score_on": TEXT},
}
ENVIRONMENT = {"host": TEXT, "accelerator": TEXT, "cpu": TEXT, "end": TEXT, "sharing": NUMBER, "shrunk": LIST}
MOST_CELLS = 1_000_000  # of a grid; more are no experiment


def check_config(config: dict[str, Any]) -> None:
    """Compare a cell's configuration with what is read of it; raises ValueError."""
    for name, kinds in SECTIONS.items():
        section = config.get(name)
        if section is not None:
            _require(section, MAPPING, f"cell.config.{name}")
            _check_values(section, kinds, f"cell.config.{name}")
    _check_depth(config, "cell.config")
    _check_grid(orjson.dumps((config.get("experiment") or {}).get("grid") or []))


def check_environment(environment: dict[str, Any]) -> None:
    """Compare what a cell ran on with what is read of it; raises ValueError."""
    _check_values(environment, ENVIRONMENT, "environment")
    for size in environment.get("shrunk") or []:
        if not isinstance(size, dict) or type(size.get("micro_batch_size")) is not int:
            raise ValueError("environment.shrunk has an item without a micro_batch_size")
    _check_depth(environment, "environment")


def check_curve(curve: list[dict[str, Any]]) -> None:
    """Compare the evaluations along training with what is read of them; raises ValueError."""
    for point in curve:
        values = point.get("values")
        if point.get("step").__class__ is not int or values.__class__ is not dict:
            raise ValueError("metrics.curve has a point without a step or without values")
        for value in values.values():
            if value.__class__ is not float:
                _require(value, NUMBER, "a value in metrics.curve")


def _check_values(part: dict[str, Any], kinds: dict[str, tuple[type[Any], ...]], where: str) -> None:
    for name, kind in kinds.items():
        value = part.get(name)
        if value is not None and value.__class__ not in kind:
            _require(value, kind, f"{where}.{name}")


def _require(value: Any, kind: tuple[type[Any], ...], where: str) -> None:
    if value is not None and type(value) not in kind:  # True is an int to Python
        raise ValueError(f"{where} is {value!r:.40}, no {WORDS[kind]}")


@lru_cache(maxsize=256)
def _check_grid(written: bytes) -> None:
    """The records of an experiment have one grid, written in JSON: it is looked at once."""
    where, cells = "cell.config.experiment.grid", 0
    for part in orjson.loads(written):
        if not isinstance(part, dict):
            raise ValueError(f"{where} has the item {part!r:.40}, no mapping")
        cells += math.prod(len(value) for value in part.values() if isinstance(value, list))
        if cells > MOST_CELLS:
            raise ValueError(f"{where} has more than {MOST_CELLS} cells")
        seeds = part.get("seed", [])
        for seed in seeds if isinstance(seeds, list) else [seeds]:
            _check_seed(seed, where)


def _check_seed(seed: Any, where: str) -> None:
    try:
        int(seed)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where} has the seed {seed!r:.40}, no whole number") from None


def _check_depth(part: Any, where: str) -> None:
    """What is nested too deep for one parser is so for the next one."""
    try:
        orjson.dumps(part)
    except TypeError as error:
        raise ValueError(f"{where} cannot be kept as JSON: {error}") from error
