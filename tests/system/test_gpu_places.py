"""Who may be on a GPU with whom; the GPU is a name here, the processes are real."""

import os
import subprocess
import sys
import tempfile
import threading

import pytest

from bench.errors import UserError
from bench.system import gpu_places
from bench.system.gpu_places import place_on

HOLD = """
import sys
from bench.system.gpu_places import place_on
with place_on(sys.argv[1], int(sys.argv[2])):
    print("here", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(gpu_places, "LOOK_SECONDS", 0.01)


@pytest.fixture
def hold():
    """Have other processes take places; they stay until the test ends or ends them."""
    started = []

    def start(uuid, company):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, uuid, str(company)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == b"here\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def is_free(uuid, company):
    """Whether a cell would find a place at once."""
    lock = gpu_places._taken(gpu_places._folder(), uuid, company)
    if lock is not None:
        lock.release()
    return lock is not None


def test_a_cell_has_its_gpu_for_itself_unless_both_want_company(hold):
    hold("GPU-1", 2)
    assert not is_free("GPU-1", 1)
    assert is_free("GPU-1", 2)
    assert is_free("GPU-2", 1), "another GPU is another place"
    hold("GPU-1", 2)
    assert not is_free("GPU-1", 2), "two are two"
    assert not is_free("GPU-1", 3), "the most careful one decides"


def test_who_finds_no_place_says_so_once_and_waits_until_the_other_is_gone(hold):
    other, told = hold("GPU-1", 1), []
    entered = threading.Event()

    def enter():
        with place_on("GPU-1", 1, lambda: told.append("waiting")):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.3)
    assert told == ["waiting"]
    other.kill()  # it gives nothing back itself
    other.wait()
    assert entered.wait(30)
    thread.join()
    assert told == ["waiting"]
    assert is_free("GPU-1", 1)


def test_a_folder_that_is_somebody_elses_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"bench-gpus-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is not a folder of this user's own"), place_on("GPU-1", 1):
        pass
    assert not list((tmp_path / "elsewhere").iterdir())
