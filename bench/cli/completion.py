"""Completion in bash: `eval "$(bench -sc install=bash)"`, as in every program of Hydra's.

Hydra's own plugin does the shell's part, files, and keys of the composed cell. What is ours: the word after `bench` is
a command, a choice may lie in folders (`model=miniature/roberta`) and follow others (`method=lora,ia3`), and a
command's own settings are those that its help names.
"""

import os
import re
from collections.abc import Mapping, Sequence

from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra.core.global_hydra import GlobalHydra

from bench.cli.usage import HELP
from bench.configuration.compose import Configurations
from bench.errors import UserError

GROUPS = ("model", "task", "method", "training", "experiment", "hydra/launcher")
ASKS = {"install=bash", "uninstall=bash", "query=bash"}
COMPOSES = "[key=value …]"  # in a command's help, where it takes the settings of cells


def shell_completion(arguments: Sequence[str]) -> int:
    """Do what Hydra's `-sc` asks for: print the shell's function, what removes it, or the choices for its line.

    Raises:
        UserError: another shell, or another word.
    """
    if len(arguments) != 1 or arguments[0] not in ASKS:
        raise UserError('bash alone is completed: eval "$(bench -sc install=bash)", and uninstall=bash to undo it')
    asked = arguments[0].partition("=")[0]
    with Configurations(_config_dir(os.environ.get("COMP_LINE", ""))) as configurations:
        plugin = BenchCompletion(configurations)
        plugin.query("config") if asked == "query" else getattr(plugin, asked)()
    return 0


class BenchCompletion(BashCompletion):
    """Hydra's plugin, with the words of `bench`."""

    def __init__(self, configurations: Configurations) -> None:
        super().__init__(GlobalHydra.instance().config_loader())
        self._configurations = configurations
        self._command = ""

    def query(self, config_name: str | None) -> None:
        """Print the choices for the last word of `COMP_LINE`, up to `COMP_POINT`."""
        line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT") or 10**6)]
        print(" ".join(self.choices(line, config_name)))  # noqa: T201  # the shell reads it

    def choices(self, line: str, config_name: str | None = "config") -> list[str]:
        """What the last word of `bench …` may become, sorted; none where the words before it cannot be composed."""
        _, *words = line.split() if line[-1:].strip() else [*line.split(), ""]
        if len(words) < 2:
            return sorted(name for name in HELP if name.startswith("".join(words)))
        self._command, *_ = words
        if self._command not in HELP or words[-1].startswith("-"):
            return []
        # Only these choose which keys there are; of several, the first.
        before = [word.partition(",")[0] for word in words[1:-1] if word.partition("=")[0] in GROUPS[:-1]]
        try:
            found: list[str] = self._query(config_name, " ".join([*before, words[-1]]) + ("" if words[-1] else " "))
        except UserError:
            return []
        return [choice for choice in found if not choice.startswith("hydra.") and "._target_" not in choice]

    def _query_config_groups(self, word: str, config_name: str | None, words: list[str]) -> tuple[list[str], bool]:
        """Names of files for `model=…`, and a command's own settings.

        Returns:
            The choices, and whether they are all: then no keys of the composed cell are looked for.
        """
        own, composes = settings(self._command), COMPOSES in HELP[self._command]
        groups = GROUPS if composes else tuple(key for key in own if key in GROUPS)
        key, separator, value = word.partition("=")
        if not separator:
            return [f"{name}=" for name in sorted({*groups, *own}) if name.startswith(word)], not composes
        done = value[: value.rfind(",") + 1]
        names = self._configurations.options(key) if key in groups else own.get(key, ())
        found = [f"{key}={done}{name}" for name in names if name not in done.split(",")]
        return [choice for choice in found if choice.startswith(word)], key in {*groups, *own} or not composes

    @staticmethod
    def _get_exec() -> str:
        return "bench"  # however it was started


def settings(command: str) -> Mapping[str, tuple[str, ...]]:
    """A command's own settings, as its help names them, and the words that it names for each."""
    text = "\n".join(line for line in HELP[command].splitlines() if not line.startswith("  bench "))
    found: dict[str, dict[str, None]] = {}
    for key, value in re.findall(r"(?<![\w./])([a-z_.]+|hydra/launcher)=([^\s\])]*)", text):
        if key != "key":
            words = re.split(r"[|,]", value.rstrip(",.;:"))
            found.setdefault(key, {}).update(dict.fromkeys(filter(re.compile("[a-z_]+").fullmatch, words)))
    return {key: tuple(values) for key, values in found.items()}


def _config_dir(line: str) -> str | None:
    """The folder of `--config-dir FOLDER` or `--config-dir=FOLDER`, where it is one."""
    found = re.search(r"--config-dir[ =](\S+)", line)
    return found[1] if found and os.path.isdir(found[1]) else None
