"""What Hydra and OmegaConf find wrong, in the user's words: one line with the culprit, its file and line."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf

from bench.configuration.without_row import why_no_row
from bench.errors import UserError, unknown_name

# Lines of OmegaConf's messages that say what the others have said.
REPEATS = ("full_key", "object_type", "See ", "Config search path", "Available options")

PLAIN = (
    (r"field '.*' is not Optional", "cannot be null"),
    (r"Cannot assign \w+ to Dict.*", "must be a mapping"),
)


def in_users_words(error: Exception, folders: Sequence[Path], schema: DictConfig, composed: Any = None) -> UserError:
    """Say what could not be composed.

    Args:
        error: Hydra's or OmegaConf's; a mistake that was told in words already within it is found.
        folders: where configurations are looked for.
        schema: of a cell, for the names of its keys.
        composed: a configuration with all keys that there are, to look for those that the schema leaves open.
    """
    for cause in _causes(error):
        if isinstance(cause, UserError):
            return cause
    text = str(error)
    where = _place(text, folders)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        path = error.missing_cfg_file
        inner = path.startswith("hydra/")
        group, _, name = path.rpartition("/") if inner else path.partition("/")
        return _at(where, _unknown(group, name, folders))
    key = re.search(r"Could not override '([^']+)'", text)
    if key:
        path, _, name = key[1].rpartition(".")
        known = _keys(schema, path) or _keys(composed, path)
        if composed is not None and not known:
            return UserError(f"{path} is no mapping, and {name} cannot be set in it; give {path} as a whole")
        return unknown_name(f"setting of {path}" if path else "setting", name, known)
    twice = re.search(r"already at '([^']+)'", text)
    if twice:
        return UserError(f"{twice[1]} is there already; give it without a plus sign")
    lines = [line.strip() for line in text.splitlines()]
    useful = [line for line in lines if line and not line.startswith(REPEATS)]
    if error.__cause__ is not None and len(useful) < 2:
        useful += [line.strip() for line in str(error.__cause__).splitlines()[:1]]
    said = ": ".join(line.removesuffix(":") for line in useful[:2]).removeprefix("Error merging override ")
    full_key = re.search(r"full_key: (\S+)", text)
    if where and full_key:
        said = f"{full_key[1]}: {useful[1] if len(useful) > 1 else said}"
    for pattern, plain in PLAIN:
        said = re.sub(pattern, plain, said)
    return _at(where, UserError(said or type(error).__name__))


def _unknown(group: str, name: str, folders: Sequence[Path]) -> UserError:
    """There is no such choice; of a method that the peft library has it is known why."""
    if group == "method" and (why := why_no_row(name)):
        return why
    known = options(folders, group)
    if group == "experiment":
        known += [f"ablation/{method}" for method in options(folders, "method")]
    return unknown_name(group, name, known)


def options(folders: Sequence[Path], group: str) -> list[str]:
    """All choices of a configuration group, nested ones with their folder: `glue/cola`."""
    files = [(folder / group, file) for folder in folders for file in (folder / group).rglob("*.yaml")]
    names = {file.relative_to(root).with_suffix("").as_posix() for root, file in files if file.is_file()}
    return sorted(name for name in names if not name.split("/")[-1].startswith("_"))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _place(text: str, folders: Sequence[Path]) -> str:
    """The file that an error is in, and the line, as far as the message tells."""
    named = re.search(r"[Ii]n '([^']+)'", text)
    if named is None or named[1] == "config":
        return ""
    file = next((folder / f"{named[1]}.yaml" for folder in folders if (folder / f"{named[1]}.yaml").is_file()), None)
    if file is None:
        return ""
    culprit = re.search(r"full_key: (\S+)", text) or re.search(r"Could not (?:find|load) '([^']+)'", text)
    word = re.split(r"[./]", culprit[1])[-1] if culprit else "defaults"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if re.search(rf"\b{re.escape(word)}\b", line)]
    return f"{file}, line {numbers[0]}" if numbers else str(file)


def _at(where: str, error: UserError) -> UserError:
    return UserError(f"{where}: {error}") if where else error


def _keys(config: Any, path: str) -> list[str]:
    try:
        node = OmegaConf.select(config, path) if path and config is not None else config
    except AttributeError:  # below a section that the schema leaves to a file
        return []
    return [str(key) for key in node] if isinstance(node, DictConfig) else []
