"""Two processes never run one cell: who claims it, who takes it over, and when."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.records import claims
from bench.records.claims import ClaimedError, ClaimLostError, claimed, current_claim
from bench.records.owner import Owner, start_of
from bench.system.terminal import forget_warnings

HOLDER = "import sys, time; from pathlib import Path; from bench.records.claims import claimed\n" + (
    "with claimed(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the cell in `tmp_path`."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def write_claim(folder, number=1, age=0.0, **changes):
    """A claim that somebody left, `age` seconds after its last sign of life."""
    path = folder / f"claim-{number}.json"
    path.write_text(json.dumps(asdict(replace(Owner.this_process(), **changes))))
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_cell_is_held_by_one_and_given_back(tmp_path):
    with claimed(tmp_path):
        with pytest.raises(ClaimedError, match=f"being run by process {os.getpid()} on "), claimed(tmp_path):
            pass
        assert not current_claim(tmp_path).is_free
    assert current_claim(tmp_path).is_free
    with claimed(tmp_path):
        assert current_claim(tmp_path).number == 2
    assert [path.name for path in tmp_path.iterdir()] == ["claim-2.json"], "nothing else is left behind"


def test_the_claim_of_a_killed_process_is_free_at_once(tmp_path, holder):
    with pytest.raises(ClaimedError), claimed(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with claimed(tmp_path):
        assert current_claim(tmp_path).owner.pid == os.getpid()


def test_a_process_that_ended_and_was_not_collected_is_dead(tmp_path, holder):
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert start_of(holder.pid) is None
    assert current_claim(tmp_path).is_free


def test_a_process_number_given_to_another_process_is_no_sign_of_life(tmp_path):
    write_claim(tmp_path, started="earlier than this process")
    assert current_claim(tmp_path).is_free


def test_the_owner_on_another_machine_lives_while_it_beats(tmp_path):
    path = write_claim(tmp_path, machine="another", host="node7", age=claims.STALE_SECONDS - 60)
    with pytest.raises(ClaimedError, match="on node7"), claimed(tmp_path):
        pass
    os.utime(path, (time.time() - claims.STALE_SECONDS - 1,) * 2)
    with claimed(tmp_path):
        assert current_claim(tmp_path).number == 2


def test_a_silent_owner_is_watched_until_it_is_known_to_be_dead_or_alive(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "LOOK_SECONDS", 0.05)
    path = write_claim(tmp_path, machine="another", age=claims.STALE_SECONDS - 1.5)
    with claimed(tmp_path, patience=60):
        assert current_claim(tmp_path).number == 2
    path = write_claim(tmp_path, number=3, machine="another", age=100)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: claimed(tmp_path, patience=600).__enter__())
        time.sleep(0.2)
        assert not waiting.done()
        os.utime(path)
        with pytest.raises(ClaimedError):
            waiting.result(timeout=30)


def test_an_owner_shows_that_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.05)
    with claimed(tmp_path):
        path = current_claim(tmp_path).path
        os.utime(path, (1, 1))
        until(lambda: path.stat().st_mtime > 1)


def test_whoever_lost_the_cell_learns_of_it_and_leaves_the_new_claim_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.05)
    block = claimed(tmp_path)
    held = block.__enter__()
    write_claim(tmp_path, number=2, host="node7")
    until(held._lost.is_set)
    with pytest.raises(ClaimLostError):
        block.__exit__(None, None, None)
    assert current_claim(tmp_path).owner.host == "node7"
    assert not current_claim(tmp_path).owner.released


def test_a_claim_without_content_counts_until_it_is_old(tmp_path):
    (tmp_path / "claim-1.json").touch()
    assert not current_claim(tmp_path).is_free
    os.utime(tmp_path / "claim-1.json", (time.time() - claims.STALE_SECONDS - 1,) * 2)
    assert current_claim(tmp_path).is_free


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("left", ["nothing", "stale"])
def test_of_many_who_want_a_cell_one_gets_it(tmp_path, monkeypatch, links, left):
    """Threads claim against each other as processes do: nothing but the file system is between them."""
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    for round_number in range(20):
        folder = tmp_path / str(round_number)
        folder.mkdir()
        if left == "stale":
            write_claim(folder, started="dead")

        def attempt(folder=folder):
            block = claimed(folder)
            try:
                block.__enter__()
            except ClaimedError:
                return None
            return block

        with ThreadPoolExecutor(8) as pool:
            won = [block for block in pool.map(lambda _: attempt(), range(8)) if block]
        assert len(won) == 1
        won[0].__exit__(None, None, None)


def test_a_number_that_was_used_and_deleted_while_one_slept_gives_no_cell(tmp_path, monkeypatch):
    """One process sees a stale claim 1 and sleeps; others take 2 and 3, and 2 is deleted; it must not have 2."""
    write_claim(tmp_path, number=1, started="dead")
    real, slept = claims._create, []

    def sleepy(path, content):
        if not slept:
            slept.append(path.name)
            (tmp_path / "claim-1.json").unlink()
            write_claim(tmp_path, number=3)
        return real(path, content)

    monkeypatch.setattr(claims, "_create", sleepy)
    with pytest.raises(ClaimedError), claimed(tmp_path):
        pass
    assert slept == ["claim-2.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["claim-3.json"]


def test_a_full_disk_does_not_keep_a_claim(tmp_path, monkeypatch):
    with claimed(tmp_path):
        monkeypatch.setattr(claims, "write_atomically", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert current_claim(tmp_path).is_free


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "name", ["claim-1 (copy).json", "claim-x.json", "claim-01.json", "claim-².json", "claim-1.json~"]
)
def test_a_copy_of_a_claim_is_told_and_passed_over(tmp_path, name, capsys):
    forget_warnings()
    (tmp_path / name).write_text("{}")
    assert current_claim(tmp_path) is None
    with claimed(tmp_path):
        assert current_claim(tmp_path).number == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"{tmp_path / name}: no claim has such a name" in err


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_no_claim_and_its_number_is_not_given_again(tmp_path, make):
    make(tmp_path / "claim-7.json")
    assert current_claim(tmp_path) is None
    with claimed(tmp_path):
        assert current_claim(tmp_path).number == 8


OWNER = asdict(Owner.this_process())
DAMAGED = [OWNER | change for change in ({"pid": "x"}, {"since": "now"}, {"since": "2026-01-01"}, {"released": "no"})]


@pytest.mark.parametrize(
    "owner", ["{}", "[]", "3", "", "[" * 100_000, '{"host": 1}', *(json.dumps(owner) for owner in DAMAGED)]
)
def test_a_claim_that_cannot_be_read_is_somebodys_until_it_is_old(tmp_path, owner):
    path = tmp_path / "claim-1.json"
    path.write_text(owner)
    assert current_claim(tmp_path).owner is None
    with pytest.raises(ClaimedError, match=r"claim-1\.json cannot be read"), claimed(tmp_path):
        pass
    os.utime(path, (1, 1))
    with claimed(tmp_path):
        assert current_claim(tmp_path).number == 2
