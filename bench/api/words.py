"""Settings as Python values → the words of Hydra's grammar, so that Python goes the way that a command line goes.

A text is quoted and its signs escaped where Hydra or OmegaConf would read more into it than text. Each word is read
back as Hydra will read it, and refused unless what comes out is what was put in.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from os import PathLike
from typing import Any, TypeAlias

from hydra.core.override_parser.types import Quote, QuotedString

from bench.configuration.loader import GROUPS, parse
from bench.errors import UserError

Value: TypeAlias = (
    bool | int | float | str | PathLike[str] | Sequence["Value"] | Mapping[str, "Value"] | None
)  # of a setting

SECTIONS = (*GROUPS, "data", "peft")  # what a mapping gives several settings of
NAME = "name"  # in such a mapping, the choice of a file
KEY = re.compile(r"\+{0,2}[A-Za-z_][\w.@/-]*", re.ASCII)
PLAIN = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)  # a text that needs no quotes, unless it is one of these:
WORDS = {"null", "true", "false", "nan", "inf"}
INTERPOLATION = re.compile(r"(\\*)\$\{")


def words_of(settings: Mapping[str, Any]) -> list[str]:
    """One value for each setting.

    Args:
        settings: by the keys of the command line, `training.learning_rate`; or by section, `training`, with a mapping
            of settings, in which `name` chooses the file: `method={"name": "lora", "r": 4}`.

    Raises:
        UserError: a key or a value that no command line could say.
    """
    return [_checked(key, value) for key, value in _flat(settings)]


def choices_of(settings: Mapping[str, Any]) -> list[str]:
    """One value for each setting, or several: a list has a value for each cell, as in an experiment's grid.

    Raises:
        UserError: as `words_of`; or an empty list.
    """
    words = []
    for key, value in _flat(settings):
        if not _is_list(value):
            words.append(_checked(key, value))
        elif not value:
            raise UserError(f"{key}=[]: a list has the values of several cells, and this one has none")
        else:
            values = [_checked(key, item).partition("=")[2] for item in value]
            words.append(f"{key}={','.join(values)}")
    return words


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if key in SECTIONS and isinstance(value, Mapping):
            for name, item in value.items():
                yield (key, item) if name == NAME and key in GROUPS else (f"{key}.{name}", item)
        else:
            yield key, value


def _checked(key: str, value: Any) -> str:
    """`key=word`, once Hydra reads the value in it."""
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise UserError(f"{key!r} is no name of a setting; say it as on the command line, training.learning_rate")
    plain = _plain(key, value)
    text = f"{key}={_word(plain)}"
    try:
        [read] = parse([text])
        is_read = not read.is_sweep_override() and _same(read.value(), plain)
    except UserError:
        is_read = False
    if not is_read:
        raise UserError(f"{key}={_short(value)}: no setting can hold this value")
    return text


def _plain(key: str, value: Any) -> Any:
    """The value as Python's own types, texts as OmegaConf has to be given them to be left as they are."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, PathLike):
        value = value.__fspath__()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return INTERPOLATION.sub(r"\1\1\\${", str(value))
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, Mapping):
        return {name: _plain(key, item) for name, item in value.items()}
    if _is_list(value):
        return [_plain(key, item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # numpy's and torch's numbers
        return _plain(key, value.item())
    raise UserError(
        f"{key}={_short(value)}: a setting is None, True, False, a number, a text, a path, a list or a mapping, "
        f"and no {type(value).__name__}"
    )


def _word(plain: Any) -> str:
    if plain is None:
        return "null"
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, str):
        is_plain = PLAIN.fullmatch(plain) and plain.lower() not in WORDS
        return plain if is_plain else QuotedString(text=plain, quote=Quote.single).with_quotes()
    if isinstance(plain, dict):
        return "{" + ",".join(f"{_key(name)}:{_word(item)}" for name, item in plain.items()) + "}"
    if isinstance(plain, list):
        return "[" + ",".join(map(_word, plain)) + "]"
    return repr(plain)


def _key(name: Any) -> str:
    """A key of a mapping, which the grammar does not let be quoted."""
    return re.sub(r"([\\()\[\]{}:=, \t])", r"\\\1", name) if isinstance(name, str) else json.dumps(name, default=str)


def _same(read: Any, meant: Any) -> bool:
    """Whether two values are of one type and equal, keys of mappings as text, which is what becomes of them."""
    if isinstance(meant, dict) and isinstance(read, dict):
        names = [name if isinstance(name, str) else json.dumps(name) for name in read]
        given = [name if isinstance(name, str) else json.dumps(name, default=str) for name in meant]
        return names == given and all(map(_same, read.values(), meant.values()))
    if isinstance(meant, list) and isinstance(read, list):
        return len(read) == len(meant) and all(map(_same, read, meant))
    return type(read) is type(meant) and bool(read == meant)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}…"
