"""What can go wrong through a user's input, said in the user's words.

Everything here ends as one line on stderr and exit code 2; see `bench.cli.commands`. Any other exception is a fault of
the harness or of the machine, and ends in a record with status `failed`.
"""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake the user can mend: an unknown name, an impossible pair, a missing file."""


class UnsupportedError(UserError):
    """A method and a model that do not go together; in a sweep this is a result, not a mistake."""


class NothingToShowError(UserError):
    """A table of records that are not there, or not of its tasks."""


class NotComparableError(UserError):
    """A table of records whose scores say nothing beside each other."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """Return the error for a `kind` (model, task, method, …) called `name`, naming the nearest of the `known` ones."""
    choices = sorted(choice for choice in known if choice != name)  # the very word would be no hint
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(choices)}"
    return UserError(f"unknown {kind} '{name}'; {hint}")
