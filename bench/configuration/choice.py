"""Whether a cell is still the one that a search chose its settings for.

`bench tune` writes beside what it chose (`values`) the settings that decide what is best, as they were in the trials
(`under`). A cell with other values has no longer what was chosen, and says so; one with other settings beside them
names these, in `elsewhere`, and tables tell it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bench.configuration.origins import leaves, value_at
from bench.errors import UserError

PROVENANCE = "chosen_by"  # of training: who chose the settings decides nothing that they do not decide themselves
VALUES, UNDER, ELSEWHERE = "values", "under", "elsewhere"  # keys of `training.chosen_by`
# What the best rate is known to depend on, beside the method's own settings.
DECISIVE = (
    "model.weights", "model.quantisation", "task.answer", "data.limit_train", "training.batch_size", "training.epochs",
    "training.max_steps", "training.schedule", "training.warmup", "training.weight_decay", "training.optimiser",
    "training.head_learning_rate", "training.precision",
)  # fmt: skip
NAMES = frozenset({"_target_", "name", "title", "category", "paper", "components"})  # of a method; the rest decides


def circumstances(config: Mapping[str, Any], chosen: Iterable[str] = ()) -> dict[str, Any]:
    """The settings of a cell that decide which values are best, by their keys; without those that are null.

    Args:
        config: the cell's, resolved.
        chosen: the keys that were searched.
    """
    method = {key: value for key, value in config["method"].items() if key not in NAMES}
    found = {key: value_at(config, key) for key in DECISIVE} | dict(leaves(method, "method."))
    for key in chosen:
        found = {name: value for name, value in found.items() if name != key and not name.startswith(f"{key}.")}
    return {key: value for key, value in found.items() if value is not None}


def settle_choice(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with `chosen_by` as it holds for this cell: emptied, or with what is not as in the trials.

    Raises:
        UserError: `values` or `under` are no mappings.
    """
    told = config["training"].get(PROVENANCE) or {}
    if VALUES not in told and UNDER not in told:
        return config
    values, under = told.get(VALUES) or {}, told.get(UNDER)
    for key, part in ((VALUES, values), (UNDER, {} if under is None else under)):
        if not isinstance(part, Mapping):
            raise UserError(f"training.chosen_by.{key}={part} must be a mapping of settings to values")
    kept = {key: value for key, value in told.items() if key not in (VALUES, UNDER)}
    if any(value_at(config, key) != value for key, value in values.items()):
        kept = {}
    elif under is not None:
        here = circumstances(config, values)
        other = sorted(key for key in {*here, *under} if here.get(key) != under.get(key))
        kept |= {ELSEWHERE: {key: [under.get(key), here.get(key)] for key in other}} if other else {}
    return config | {"training": config["training"] | {PROVENANCE: kept}}
