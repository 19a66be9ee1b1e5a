"""Where each value of a cell came from: the command line, a YAML file, or the schema's default.

What matters most is told in words: a method without training settings of its own for a task takes over others', those
of full fine-tuning, and whoever reads the score ought to know.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

COMMAND_LINE, DEFAULT = "command line", "default"


@dataclass(frozen=True)
class Origins:
    """Of one cell's values.

    Attributes:
        keys: where they came from; what is not in it is the schema's default.
        inherited: settings of the training that other methods of the task have of their own, and this one has not.
        absent: the file that they would stand in; None where the task does not look for any.
    """

    keys: dict[str, str] = field(default_factory=dict)
    inherited: list[str] = field(default_factory=list)
    absent: str | None = None

    def of(self, key: str) -> str:
        """The origin of a value; of one within a dictionary, that of the nearest above it."""
        while key not in self.keys and "." in key:
            key = key.rpartition(".")[0]
        return self.keys.get(key, DEFAULT)

    def given(self, keys: Sequence[str], origin: str = COMMAND_LINE) -> "Origins":
        """The same with values that were put in afterwards."""
        inherited = [name for name in self.inherited if f"training.{name}" not in keys]
        return replace(self, keys=self.keys | dict.fromkeys(keys, origin), inherited=inherited)

    def of_all(self, config: Mapping[str, Any]) -> dict[str, str]:
        """The origin of every value of a configuration, by its key from the root."""
        return {key: self.of(key) for key, _ in leaves(config)}

    def note(self, config: Mapping[str, Any]) -> str | None:
        """Which settings a method takes over for want of its own, in a line; None where it has its own."""
        if not self.inherited:
            return None
        by_file: dict[str, list[str]] = {}
        for name in self.inherited:
            said = f"{name.replace('_', ' ')} {_plain(config['training'][name])}"
            by_file.setdefault(self.of(f"training.{name}"), []).append(said)
        task, method, first = config["task"]["name"], config["method"]["name"], self.inherited[0]
        if self.absent is None:
            values = ", ".join(text for said in by_file.values() for text in said)
            whose, file = f"there are no training settings for task '{task}'", f"training/{task}.yaml"
            return f"{values}, the schema's defaults; {whose}: say training.{first}=… or add {file}"
        values = "; ".join(f"{', '.join(said)}, from {file} (full fine-tuning's)" for file, said in by_file.items())
        return f"{values}; method '{method}' has none of its own: say training.{first}=… or add {self.absent}"


def leaves(config: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested dictionaries with their keys from the root; lists and empty dictionaries are values."""
    for name, value in config.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{key}.")
        else:
            yield key, value


def value_at(config: Any, key: str) -> Any:
    """`config["training"]["learning_rate"]` for `training.learning_rate`; None where there is none."""
    for name in key.split("."):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def _plain(value: Any) -> str:
    """A value as YAML files write it: 2e-5."""
    return str(value).replace("e-0", "e-")
