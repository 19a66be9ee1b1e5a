"""Where a fuzzer's commands run: a folder of their own, watched from within for whatever is written elsewhere.

`FUZZ_SEED` repeats a run, `FUZZ_EXAMPLES` multiplies the inputs; the seed is printed with pytest's header.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings

from bench.cli.commands import run_command
from bench.system.terminal import printable

SEED = int(os.environ["FUZZ_SEED"])
MANY = int(os.environ.get("FUZZ_EXAMPLES", "1"))
CACHES = ("BENCH_CACHE", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR", "TMPDIR")  # ours and two libraries'; what passes
# Of what changes a folder, which argument is the path that is changed.
CHANGES = {
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.rename": 1,
    "os.symlink": 1,
    "os.link": 1,
    "os.truncate": 0,
}

_watch: dict[str, list[str] | None] = {"roots": None, "outside": None}


def inputs(count: int) -> settings:
    """Hypothesis's settings for so many inputs: no deadline, nothing kept between runs, no tracing (it is slow)."""
    return settings(
        max_examples=count * MANY, phases=[Phase.generate, Phase.shrink], deadline=None, database=None, print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )  # fmt: skip


sys.dont_write_bytecode = True  # of modules that a command imports


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: notes every path outside of the watched roots that is opened for writing, made or removed."""
    roots, outside = _watch["roots"], _watch["outside"]
    if roots is None or outside is None:
        return
    path: object = None
    if event == "open":
        writes = isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        path = arguments[0] if writes else None
    elif event in CHANGES:
        path = arguments[CHANGES[event]]
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, str | Path):
        real = os.path.realpath(path)
        if not any(real == root or real.startswith(f"{root}{os.sep}") for root in roots):
            outside.append(f"{event} {real}")


sys.addaudithook(_listen)


@contextmanager
def watched(*roots: str | Path) -> Iterator[list[str]]:
    """Within the block, what is written outside of `roots` (and of the cache and devices) is listed."""
    outside: list[str] = []
    known = [*roots, *(os.environ[name] for name in CACHES), "/dev", "/proc"]
    _watch["roots"], _watch["outside"] = [os.path.realpath(root) for root in known], outside
    try:
        yield outside
    finally:
        _watch["roots"] = _watch["outside"] = None


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """A fresh folder below `folder` to stand in; removed afterwards."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        os.chdir(place)
        try:
            yield Path(place)
        finally:
            os.chdir(before)


def command(capsys, place: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command in `place`: what must hold of every one whatever it is given.

    It ends with one of the exit codes, without a traceback; a mistake is one line; nothing is written outside, and no
    character that a terminal obeys is sent.
    """
    capsys.readouterr()
    with watched(place) as outside:
        code = run_command(arguments)
    out, err = capsys.readouterr()
    assert code in (0, 1, 2), arguments
    assert "Traceback" not in out + err, arguments
    assert not outside, (arguments, outside)
    assert out + err == printable(out + err), arguments
    if code == 2:
        lines = [line for line in err.splitlines() if line.startswith("bench: ") and "warning" not in line[:16]]
        assert len(lines) == 1, (arguments, err)
    return code, out, err
