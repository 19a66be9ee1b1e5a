"""Settings that depend on the task or on the model's family: `${for_task:…}` and `${for_family:…}` in YAML."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from bench.configuration.schema import Family
from bench.errors import UserError, unknown_name

# By a resolver's name, the section that it reads; neither is ever filled in after Hydra has composed a cell.
READ_BY = {"for_task": "task", "for_family": "model"}


def register() -> None:
    """Make them known to OmegaConf."""
    for resolver in (for_task, for_family):
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)


def for_task(values: dict[str, Any], *, _root_: DictConfig) -> Any:
    """`${for_task:{cola: 80, rte: 20}}`: a setting that a method's authors chose task by task, by GLUE's names."""
    subset = _root_.task.get("subset")
    if subset not in values:
        raise UserError(f"no value for task '{_root_.task.name}'; there is one for {', '.join(values)}")
    return values[subset]


def for_family(values: dict[str, Any], *, _root_: DictConfig) -> Any:
    """`${for_family:{encoder: 4e-4, decoder: 2e-4}}`: a setting that depends on the family of the model."""
    if unknown := next((name for name in values if name not in set(Family)), None):
        raise unknown_name("family", str(unknown), list(Family))
    family = str(_root_.model.get("family"))
    if family not in values:
        raise UserError(f"no value for a model of the family '{family}'; there is one for {', '.join(values)}")
    return values[family]
