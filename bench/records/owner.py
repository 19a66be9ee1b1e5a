"""Who holds a claim: a process on a machine, and whether it is still alive."""

import os
import platform
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bench.records.shape import made


@dataclass(frozen=True)
class Owner:
    """The process that runs a cell.

    Attributes:
        host: the machine's name, for people.
        machine: what decides whether a process number means the same here: this boot, this set of process numbers.
        pid: its process number.
        started: when the process began, as the system counts it; a process number is given out again, this is not.
        since: when it claimed the cell, UTC.
        token: unique to this claim.
        released: whether it has given the cell back.
    """

    host: str
    machine: str
    pid: int
    started: str
    since: str
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    released: bool = False

    @classmethod
    def this_process(cls) -> "Owner":
        """This process, claiming now."""
        pid = os.getpid()
        return cls(
            platform.node(), machine(), pid, start_of(pid) or "", datetime.now(UTC).isoformat(timespec="seconds")
        )

    @classmethod
    def of(cls, data: Any) -> "Owner":
        """The owner that a claim's file names.

        Raises:
            ValueError: it names none.
        """
        owner = made(cls, data, "owner", 0)
        if datetime.fromisoformat(owner.since).tzinfo is None:
            raise ValueError("a time without its zone")
        return owner

    @property
    def is_here(self) -> bool:
        """Whether this process can see the owner's process, if it is alive."""
        return self.machine == machine()

    @property
    def is_running(self) -> bool:
        """Whether the owner's process is alive; known only where `is_here`."""
        return start_of(self.pid) == self.started


@cache
def machine() -> str:
    """This boot and this process's namespace of process numbers: containers may share a host's name, not these."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{platform.node()}-{uuid.getnode()}"


def start_of(pid: int) -> str | None:
    """When a process of this machine began, as the system counts it; None: there is none, or it has ended.

    Read from the kernel's own count where there is one: a time of day would move when somebody sets the clock.
    """
    if Path("/proc/self/stat").exists():
        try:
            # The second field is the program's name in brackets, and may hold anything.
            state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if state in "ZX" else fields[18]  # ended and not yet collected; field 22 of proc(5)
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None
