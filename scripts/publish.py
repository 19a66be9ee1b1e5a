"""Measure what there is to measure of a machine with a GPU, most valuable first, in the time given, for publication.

    python -m scripts.publish --machine NAME --hours 2 [--data FOLDER] [--roberta FOLDER]
    python -m scripts.publish --machine NAME --hours 1 --size miniature        a rehearsal on the CPU: no measurement

Writes results/published/NAME/. The same command goes on where it stopped: stages that are done are not run again, and
of those that are not, finished cells are kept. Exit code 0: nothing failed, though time may have been too short; 1: a
stage failed; 2: a mistake in the command, told in one line; 130: interrupted. docs/measuring_on_a_gpu.md says more.
"""

import argparse
import json
import math
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bench.errors import UserError
from bench.records.store import write_atomically
from scripts.publishing.gpu_tests import ROOT
from scripts.publishing.publisher import Publisher
from scripts.publishing.running import run
from scripts.publishing.stages import Setting, Size, stages_of
from scripts.publishing.state import State

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
MACHINE_SECONDS = 120.0  # for looking at the machine


def main(arguments: Sequence[str]) -> int:
    """Publish; returns the exit code."""
    try:
        return publish(parsed(arguments))
    except UserError as error:
        print(f"publish: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("publish: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


class Parser(argparse.ArgumentParser):
    """One whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError."""
        raise UserError(message)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line, checked.

    Raises:
        UserError: a machine's name that is no plain name, hours that are none, a folder that is not there.
    """
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", default="", help="a plain name: letters, digits, dots, dashes, underscores")
    parser.add_argument("--hours", default="2", help="that it may take")
    parser.add_argument("--size", choices=[size.value for size in Size], default=Size.full.value)
    parser.add_argument("--data", default="", help="a mirror of the hub's data sets, as for data.root")
    parser.add_argument("--roberta", default="", help="a folder with RoBERTa-base, as for model.path")
    parser.add_argument("--published", type=Path, default=ROOT / "results" / "published", help="where NAME/ goes")
    options = parser.parse_args(arguments)
    if not NAME.fullmatch(options.machine) or len(options.machine) > 64:
        raise UserError(
            f"MACHINE={options.machine[:80]}: a plain name is needed, such as MACHINE=a100-80gb: letters, digits, "
            "dashes, underscores and single dots, no more than 64"
        )
    options.seconds = seconds_of(options.hours)
    for key in ("data", "roberta"):
        given = getattr(options, key)
        if given and not Path(given).is_dir():
            raise UserError(f"{key.upper()}={given}: no such folder")
        setattr(options, key, Path(given).resolve() if given else None)
    return options


def seconds_of(hours: str) -> float:
    """Seconds of a positive number of hours.

    Raises:
        UserError: not a number, not positive, or without end.
    """
    try:
        number = float(hours)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise UserError(f"HOURS={hours}: a positive number of hours is needed, such as HOURS=2 or HOURS=0.5")
    return number * 3600


def publish(options: argparse.Namespace) -> int:
    """Look at the machine, then run the stages; returns the exit code.

    Raises:
        UserError: this machine has no GPU, or the folder holds something else.
    """
    deadline = time.monotonic() + options.seconds
    folder: Path = (options.published / options.machine).resolve()
    named = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    setting = Setting(named, Size(options.size), options.data, options.roberta)
    rehearsal = setting.size == Size.miniature
    # A rehearsal is one of the CPU also where there is a GPU, and needs no hub.
    environment = {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"} if rehearsal else {}
    machine = looked_at(environment) | {"name": options.machine, "rehearsal": rehearsal}
    if not rehearsal and not machine["gpus"]:
        raise UserError("no CUDA device here, and nothing to publish without one; SIZE=miniature rehearses on the CPU")
    folder.mkdir(parents=True, exist_ok=True)
    state = State.of(folder, options.machine, rehearsal=rehearsal)
    remember(folder / "machine.json", machine)
    if rehearsal:
        (folder / ".gitignore").write_text("# a rehearsal, and not to be published\n*\n")
    with tempfile.TemporaryDirectory() as scratch:
        publisher = Publisher(state, stages_of(setting, Path(scratch)), machine, environment)
        failed = publisher.run(deadline)
    print(f"summary: {folder / 'summary.md'}")
    return 1 if failed else 0


def looked_at(environment: dict[str, str]) -> dict[str, Any]:
    """What the machine is; see `scripts.publishing.machine`.

    Raises:
        UserError: it cannot be told, which is what `bench doctor` is for.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "machine.txt"
        ended = run(("-m", "scripts.publishing.machine"), log, MACHINE_SECONDS, environment)
    try:
        found: dict[str, Any] = json.loads(ended.said)
    except ValueError as error:
        raise UserError(f"cannot tell what this machine is ({ended.said[:200]}); see `bench doctor`") from error
    return found


def remember(path: Path, machine: dict[str, Any]) -> None:
    """Write `machine.json`.

    Raises:
        UserError: what is there was measured on another GPU, or cannot be read.
    """
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["gpus"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged: move {path.parent} away and begin anew") from error
        if before != machine["gpus"]:
            there, here = ([one["name"] for one in gpus] for gpus in (before, machine["gpus"]))
            raise UserError(f"{path.parent} was measured on {there}, and this is {here}; take another MACHINE")
    write_atomically(path, (json.dumps(machine, indent=1, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started deaf to it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
