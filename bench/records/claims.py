"""Claims: who runs a cell now, so that two sweeps over one results folder never run it twice.

A claim is a file `claim-N.json` in the cell's folder. The highest number counts: the cell is free when there is none,
when it has been released, or when its owner is dead. To take the cell is to create the next number, which only one
process can; so a stale claim needs no deleting, and two who find it stale cannot both have the cell. The highest number
is never deleted, hence never given out again.

An owner on this machine is dead when its process is. One on another machine shows that it is alive by touching its
file; it is dead when it has not for `STALE_SECONDS`. Needed of the file system: exclusive creation, and the times of
files. Both hold on NFS.
"""

import errno
import json
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.errors import UserError
from bench.records.owner import Owner
from bench.records.store import write_atomically
from bench.system.plain_files import read_file
from bench.system.terminal import warn

HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 20 * HEARTBEAT_SECONDS  # an overloaded file server may stand still for minutes
LOOK_SECONDS = 1.0  # between two looks at a claim that is being watched
RELEASED = 0  # the time of a file whose owner could not write that it has released it

NAME = re.compile(r"claim-[1-9][0-9]{0,8}\.json")
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class ClaimedError(UserError):
    """Another process runs the cell."""


class ClaimLostError(BaseException):
    """Another process took over this one's cell, believing it dead; like an interrupt, nothing may swallow it."""


@dataclass(frozen=True)
class Claim:
    """The claim that counts in a cell's folder. `owner` is None while its file cannot be read."""

    path: Path
    number: int
    owner: Owner | None
    beat: float  # the owner's last sign of life, in seconds of the file server's clock

    @property
    def is_free(self) -> bool:
        """Whether the cell may be taken: the claim was released, or its owner is dead."""
        if self.is_released:
            return True
        if self.owner is not None and self.owner.is_here:
            return not self.owner.is_running
        return self.age > STALE_SECONDS

    @property
    def is_released(self) -> bool:
        """Whether the owner has given the cell back; after a crash it has not."""
        return self.beat == RELEASED or (self.owner is not None and self.owner.released)

    @property
    def age(self) -> float:
        """Seconds since the owner's last sign of life."""
        return max(0.0, _clock(self.path.parent) - self.beat)

    def __str__(self) -> str:
        """Who and since when, for people."""
        if self.owner is None:
            return f"an unknown process ({self.path} cannot be read)"
        return f"process {self.owner.pid} on {self.owner.host} since {self.owner.since}"


class Held:
    """A claim of this process, kept alive by a thread."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path, self._owner, self._number = path, owner, _number(path)
        self._ended, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="claim", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise `ClaimLostError` if the cell now belongs to somebody else."""
        if self._lost.is_set():
            raise ClaimLostError

    def release(self) -> None:
        """Give the cell back."""
        self._ended.set()
        self._thread.join()
        if self._lost.is_set():
            return
        try:
            write_atomically(self._path, _text(replace(self._owner, released=True)))
        except OSError:
            with suppress(OSError):
                os.utime(self._path, (RELEASED, RELEASED))  # on a full disk there is room for this
        for number, path in _claims(self._path.parent):
            if number < self._number:
                with suppress(OSError):
                    path.unlink()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                if max(_claims(self._path.parent))[0] > self._number:
                    self._lost.set()
                    return
                os.utime(self._path)  # without a time of ours: the file server's clock sets it
            except (FileNotFoundError, ValueError):
                self._lost.set()  # the cell's folder was removed
                return
            except OSError:
                continue  # a file server that does not answer may do so at the next beat


@contextmanager
def claimed(folder: Path, patience: float = 0.0) -> Iterator[Held]:
    """Hold the cell in `folder` within the block.

    Args:
        folder: the cell's; must exist.
        patience: seconds to watch a claim of another machine that shows no sign of life; one that does ends the wait.

    Raises:
        ClaimedError: another process holds it.
        ClaimLostError: another process took it meanwhile.
        UserError: the folder cannot be written to.
    """
    try:
        held = _take(folder, time.monotonic() + patience)
    except OSError as error:
        raise UserError(f"cannot write to the results folder {folder}: {error.strerror}") from error
    try:
        yield held
        held.check()
    finally:
        held.release()


def current_claim(folder: Path) -> Claim | None:
    """The claim that counts in a cell's folder; None if nobody ever ran the cell."""
    return _look(folder)[0]


def _look(folder: Path) -> tuple[Claim | None, int]:
    """The claim that counts, and the highest number that is taken, by whatever else has such a name too."""
    claims = sorted(_claims(folder), reverse=True)
    highest = claims[0][0] if claims else 0
    for number, path in claims:
        with suppress(FileNotFoundError):  # released, and deleted for a higher one, while we looked
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                return Claim(path, number, _owner(path), status.st_mtime), highest
            warn(f"{path}: no claim but a link or a folder; it is passed over")
    return None, highest


def forget(folder: Path) -> None:
    """Remove the folder of a cell that was refused before it ran: one that holds nothing but a released claim."""
    with suppress(OSError):
        claims = [path for _, path in _claims(folder)]
        if len(claims) == len(list(folder.iterdir())) == 1 and (owner := _owner(claims[0])) and owner.released:
            claims[0].unlink()
            folder.rmdir()


def _take(folder: Path, until: float) -> Held:
    first_beat: float | None = None
    while True:
        claim, highest = _look(folder)
        if claim is not None and not claim.is_free:
            first_beat = claim.beat if first_beat is None else first_beat
            watched = claim.owner is None or not claim.owner.is_here
            if not watched or claim.beat != first_beat or time.monotonic() >= until:
                raise ClaimedError(f"{folder.name} is being run by {claim}; `bench status` shows who runs what")
            time.sleep(LOOK_SECONDS)
            continue
        owner, number = Owner.this_process(), highest + 1
        path = folder / f"claim-{number}.json"
        if not NAME.fullmatch(path.name):
            raise UserError(f"{folder}: claim-{highest}.json has the last number that there is; remove it")
        if not _create(path, _text(owner)):
            continue  # somebody was faster
        if max(_claims(folder))[0] > number:
            # We slept while others took the number, finished, and deleted it under a higher one.
            path.unlink(missing_ok=True)
            continue
        return Held(path, owner)


def _create(path: Path, content: bytes) -> bool:
    """Create a file with its content in one step; False if it exists."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".claim.")
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        scratch.chmod(0o644)
        try:
            os.link(scratch, path)
        except FileExistsError:
            # A file server's answer may get lost, and the repeated request fail: the number of names tells.
            return scratch.stat().st_nlink == 2
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return _create_in_two_steps(path, content)
        return True
    finally:
        scratch.unlink(missing_ok=True)


def _create_in_two_steps(path: Path, content: bytes) -> bool:
    """For file systems without links: for a moment, the file has no content."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return True


def _claims(folder: Path) -> list[tuple[int, Path]]:
    """The files that are called as claims are, with their numbers; copies and the like are told and passed over."""
    try:
        with os.scandir(folder) as entries:  # a sweep looks into ten thousand folders; `glob` takes five times as long
            paths = [folder / entry.name for entry in entries if entry.name.startswith("claim-")]
    except OSError:  # no folder yet; what cannot be read is told by whoever reads the record
        return []
    for path in paths:
        if not NAME.fullmatch(path.name):
            warn(f"{path}: no claim has such a name; it is passed over")
    return [(_number(path), path) for path in paths if NAME.fullmatch(path.name)]


def _number(path: Path) -> int:
    return int(path.stem.removeprefix("claim-"))


def _text(owner: Owner) -> bytes:
    return json.dumps(asdict(owner), indent=1).encode()


def _owner(path: Path) -> Owner | None:
    try:
        return Owner.of(json.loads(read_file(path)))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError):
        return None


def _clock(folder: Path) -> float:
    """The file server's time, by the time of a new file: clocks of machines differ."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b".")
            file.flush()
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()  # a folder that may only be read
