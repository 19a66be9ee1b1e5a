"""`bench task new`: write what a look at a file suggests, and the training settings to begin with."""

import os
from collections.abc import Sequence
from pathlib import Path

from bench.cli.arguments import own_settings
from bench.errors import UserError
from bench.system.terminal import say
from bench.tasks.proposal import propose

TRAINING = """\
# How the task is trained: each method as its authors trained it on GLUE, all for as many epochs (training/_own).
defaults:
  - /training/_own@_here_
"""


def task(arguments: Sequence[str]) -> int:
    """A first declaration of a task, from a look at a file."""
    if not arguments or arguments[0] != "new":
        raise UserError("say what to declare: bench task new reviews.csv out=mine")
    files = [argument for argument in arguments[1:] if "=" not in argument]
    settings = [argument for argument in arguments[1:] if "=" in argument]
    if len(files) != 1:
        raise UserError("name one file: bench task new reviews.csv out=mine")
    given = own_settings("task new", settings, ("out", "name", "force")) if settings else {}
    new_task(files[0], given.get("out", "."), given.get("name"), given.get("force", "false"))
    return 0


def new_task(given: str, out: str, name: str | None, force: str) -> None:
    """Declare a task of `given`'s rows in `out`/task, and say what was assumed and what to do next.

    Args:
        given: the file.
        out: the folder for `--config-dir`.
        name: of the task; None: the file's.
        force: "true" writes over a declaration that is there.

    Raises:
        UserError: the file cannot be read or looks like no task, or there is such a declaration already.
    """
    file = Path(given)
    if not file.is_file():
        raise UserError(f"{given}: no such file")
    if force not in ("true", "false"):
        raise UserError(f"force={force} must be true or false")
    proposal = propose(file, _as_found(file, Path(out)), name)
    called = proposal.config["name"]
    files = {
        Path(out) / "task" / f"{called}.yaml": proposal.yaml(),
        Path(out) / "training" / f"{called}.yaml": TRAINING,
    }
    for target in files:
        if target.exists() and force != "true":
            raise UserError(f"{target} is there already; force=true writes over it, name=… calls the new one otherwise")
    for line in proposal.assumed:
        say(line)
    for target, content in files.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        except OSError as error:
            raise UserError(f"cannot write {target}: {error.strerror}") from error
        say(f"written: {target}")
    say(f"next: bench check --config-dir {out} task={called}")


def _as_found(file: Path, out: Path) -> str:
    """The file as the declaration names it: from the folder or from here, where it lies below one, else in full."""
    full = Path(os.path.abspath(file))
    folders = (Path(os.path.abspath(folder)) for folder in (out, "."))
    return next((str(full.relative_to(folder)) for folder in folders if full.is_relative_to(folder)), str(full))
