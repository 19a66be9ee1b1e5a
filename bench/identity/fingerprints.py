"""The fingerprints of a cell: what it was made of, and whether that is still what lies there.

Weights, the model's configuration, tokenizer, data, and the code of classes from outside the package decide: a cell
that was made of others is stale. Libraries inform: a record names them, and an update makes nothing stale. What cannot
be seen from here (a model on another machine, the hub's data) is neither stale nor vouched for.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from bench.identity import data, model
from bench.identity.digests import digest_of
from bench.identity.libraries import libraries
from bench.identity.sources import own_classes, source_of

Fingerprints = dict[str, Any]

# In the words of messages: `the weights have changed since`.
WORDS = {
    "weights": "the weights",
    "configuration": "the model's configuration",
    "tokenizer": "the tokenizer",
    "data": "the data",
    "classes": "the code",
}
OF_MODEL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "weights": model.weights,
    "configuration": model.configuration,
    "tokenizer": model.tokenizer,
}


PLURAL = ("the weights", "the data")


@dataclass(frozen=True)
class Comparison:
    """A record's fingerprints against what lies there now.

    Attributes:
        changed: what is another now, in words: "the weights".
        unseen: what cannot be seen from here, likewise.
        is_known: whether the record says at all what its cell was made of.
        libraries: those of another version here, `transformers 5.1.0, here 5.23.0`; they change nothing.
    """

    changed: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    is_known: bool = True
    libraries: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """`the weights have changed`."""
        are = len(self.changed) > 1 or self.changed[0] in PLURAL
        return f"{' and '.join(self.changed)} {'have' if are else 'has'} changed"


class Comparisons:
    """Holds records against the files there are; thousands that were made of the same cost one look."""

    def __init__(self) -> None:
        self._found: dict[tuple[bytes, ...], Comparison] = {}

    def of(self, recorded: Fingerprints, config: dict[str, Any]) -> Comparison:
        """As `compare`."""
        where = config["data"].get("root"), config["model"], recorded
        key = tuple(orjson.dumps(part, default=str) for part in where)
        if key not in self._found:
            self._found[key] = compare(recorded, config)
        return self._found[key]


def fingerprints_of(config: dict[str, Any]) -> Fingerprints:
    """What can be said of a cell before its data are read.

    Args:
        config: the cell's, all of it.
    """
    return {
        **of_model(config),
        "data": {},
        "classes": {target: source_of(target) for target in sorted(own_classes(config))},
        "libraries": libraries(),
    }


def of_model(config: dict[str, Any]) -> Fingerprints:
    """What can be said of a cell's model; None for what is not here, or is not needed."""
    found = {kind: read(config["model"]) for kind, read in OF_MODEL.items()}
    return found | ({"tokenizer": None} if config["data"].get("synthetic") else {})


def deciding(fingerprints: Fingerprints) -> dict[str, Any]:
    """Of fingerprints, the digests that decide whether two cells were made of the same; empty where none are known."""
    found: dict[str, Any] = {kind: _digest(fingerprints.get(kind)) for kind in OF_MODEL}
    for kind in ("data", "classes"):
        digests = {name: _digest(one) for name, one in _mapping(fingerprints.get(kind)).items()}
        found[kind] = {name: digest for name, digest in digests.items() if digest is not None} or None
    return {kind: digest for kind, digest in found.items() if digest is not None}


def compare(recorded: Fingerprints, config: dict[str, Any], folders: tuple[str, ...] = ()) -> Comparison:
    """Hold a record's fingerprints against the files that its cell would be made of now.

    Args:
        recorded: the record's.
        config: the cell's, all of it.
        folders: where classes of the user's own may lie, beside Python's path.
    """
    known = deciding(recorded)
    if not known:
        return Comparison(is_known=False)
    changed, unseen = [], []

    def look(kind: str, is_changed: bool | None, what: str = "") -> None:
        words = f"{WORDS[kind]}{what}"
        if is_changed is None:
            unseen.append(words)
        elif is_changed:
            changed.append(words)

    for kind, read in OF_MODEL.items():
        if kind in known:
            now = _digest(read(config["model"]))
            look(kind, None if now is None else now != known[kind])
    root = config["data"].get("root")
    of_files = {where: one for where, one in _mapping(recorded.get("data")).items() if _mapping(one).get("files")}
    splits = [data.changed(where, one, root) for where, one in of_files.items()]
    if splits:
        look("data", any(splits) if any(splits) or None not in splits else None)
    for target, digest in known.get("classes", {}).items():
        source = source_of(target, (*folders, str(recorded["classes"][target].get("folder", ""))))
        look("classes", None if source is None else source["digest"] != digest, f" of {target}")
    return Comparison(tuple(changed), tuple(unseen), libraries=_other_libraries(recorded))


def digest_of_all(fingerprints: Fingerprints) -> str:
    """One digest for everything that decides."""
    return digest_of(json.dumps(deciding(fingerprints), sort_keys=True))


def _other_libraries(recorded: Fingerprints) -> tuple[str, ...]:
    now, then = libraries(), _mapping(recorded.get("libraries"))
    return tuple(f"{name} {then[name]}, here {now[name]}" for name in then if name in now and then[name] != now[name])


def _digest(fingerprint: Any) -> str | None:
    digest = fingerprint.get("digest") if isinstance(fingerprint, dict) else fingerprint
    return digest if isinstance(digest, str) else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
