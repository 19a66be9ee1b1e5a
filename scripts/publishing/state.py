"""Where a machine's stages stand: `publish.json`, written at every change, so that a killed run tells no lie."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from bench.errors import UserError
from bench.records.store import write_atomically

FILE = "publish.json"


class Status(StrEnum):
    """How a stage stands, in the words of the summary."""

    done = "done"
    failed = "failed"
    out_of_time = "out of time"
    impossible = "not possible here"
    interrupted = "interrupted"
    running = "running"
    waiting = "not run"


@dataclass
class Standing:
    """One stage.

    Attributes:
        status: how it ended, if it did.
        reason: why it is not done.
        said: the last line of what it printed.
        seconds: that it took, over all attempts.
        commit: of the code that ran it last.
        commands: that ran; a stage that has others by now is run again.
        process: the number of the command that runs, and when it began by the system's clock.
    """

    status: Status = Status.waiting
    reason: str = ""
    said: str = ""
    seconds: float = 0.0
    commit: str | None = None
    commands: list[list[str]] = field(default_factory=list)
    process: tuple[int, float] | None = None

    def runs(self) -> bool:
        """Whether the command that was started is still there."""
        if self.process is None:
            return False
        number, began = self.process
        try:
            return bool(abs(psutil.Process(number).create_time() - began) < 1.0)
        except psutil.Error:
            return False


@dataclass
class State:
    """All that is known of the publishing of one machine.

    Attributes:
        folder: where it is kept.
        name: the machine's.
        rehearsal: whether all of it is miniature, and no measurement.
        stages: by name.
    """

    folder: Path
    name: str
    rehearsal: bool
    stages: dict[str, Standing] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, name: str, *, rehearsal: bool) -> "State":
        """What is there, or a new beginning.

        Raises:
            UserError: the file cannot be read; it is of a rehearsal and this is none, or the other way round; a stage
                of an earlier call is still running.
        """
        try:
            text = (folder / FILE).read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls(folder, name, rehearsal)
        try:
            known: dict[str, Any] = json.loads(text)
            stages = {key: Standing(**one | {"status": Status(one["status"])}) for key, one in known["stages"].items()}
            rehearsed = bool(known["rehearsal"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{folder / FILE} is damaged: move {folder} away and begin anew") from error
        if rehearsed != rehearsal:
            there, here = ("a rehearsal", "a measurement") if rehearsed else ("a measurement", "a rehearsal")
            raise UserError(f"{folder} holds {there}, and this is {here}; take another MACHINE")
        for key, one in stages.items():
            if one.runs() and one.process is not None:
                raise UserError(f"{key} of an earlier call still runs (process {one.process[0]}); end it first")
            if one.status == Status.running:
                one.status, one.reason, one.process = Status.interrupted, "killed, or the machine went down", None
        return cls(folder, name, rehearsal, stages)

    def save(self) -> None:
        """Write it."""
        content = asdict(self)
        del content["folder"]
        write_atomically(self.folder / FILE, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
