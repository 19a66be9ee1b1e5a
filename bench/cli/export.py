"""`bench export`: what a cell has trained, written for use elsewhere."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from bench.cli.arguments import config_dir_and_rest, own_settings
from bench.errors import UserError
from bench.system.terminal import say

KEYS = ("cell", "out", "form", "device", "base", "push", "private")


def export(arguments: Sequence[str]) -> int:
    """Write it, and name each file."""
    config_dir, rest = config_dir_and_rest(arguments)
    given = own_settings("export", rest, KEYS)
    for key in ("cell", "out"):
        if key not in given:
            raise UserError(f"{key}= is missing: bench export cell=results/runs/CELL/record.json out=exported")
    private = given.get("private", "true")
    if private not in ("true", "false"):
        raise UserError(f"private={private} must be true or false")
    if "private" in given and "push" not in given:
        raise UserError("private= is of push=OWNER/NAME, which is missing")
    from bench.running.export import check_free
    from bench.running.export import export as write
    from bench.running.push import check_push, push
    from bench.running.trained import Wanted, read_cell

    check_free(Path(given["out"]))
    if "push" in given:
        check_push(given["push"])
    found = read_cell(given["cell"], Wanted(given.get("device", "auto"), base=given.get("base"), config_dir=config_dir))
    command = shlex.join(["bench", "export", *arguments])
    written = write(found, Path(given["cell"]), given["out"], given.get("form"), command)
    for file in written.files:
        say(str(written.folder / file))
    if "push" in given:
        message = f"{found.cell.id}: {found.method.title} on {found.cell.task}"
        address = push(written.folder, given["push"], message, private=private == "true")
        say(f"pushed: {address}")
    return 0
