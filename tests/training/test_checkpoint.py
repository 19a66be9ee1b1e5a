"""The files of checkpoints: which are kept, when they are written, and what a kill or a signal does to them."""

import os
import signal
import subprocess
import sys

import pytest
import torch

from bench.configuration.compose import Configurations
from bench.records.schema import Status
from bench.records.store import read_record
from bench.running.runner import run_cell
from bench.training.checkpoint import FOLDER, Checkpoints, Content
from bench.training.interruption import Interruption, request_checkpoint
from tests.cells import SHORT


def content(step):
    return Content(step, {"a": torch.full((3,), float(step))}, {"b": [step, 0.1]})


def files(folder):
    return sorted(path.name for path in (folder / FOLDER).iterdir())


def test_what_was_written_is_read_and_the_newest_two_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, "hash", None)
    assert checkpoints.latest() is None
    for step in (5, 10, 100):
        assert checkpoints.write(content(step))
    assert files(tmp_path) == ["step-10.json", "step-10.safetensors", "step-100.json", "step-100.safetensors"]
    latest = Checkpoints(tmp_path, "hash", None).latest()
    assert (latest.step, latest.plain) == (100, {"b": [100, 0.1]})
    assert torch.equal(latest.tensors["a"], torch.full((3,), 100.0))


@pytest.mark.parametrize("when", ["save_file", "_checksum", "write_atomically"])
def test_a_kill_while_one_is_written_leaves_the_one_before(tmp_path, monkeypatch, when):
    checkpoints = Checkpoints(tmp_path, "hash", None)
    checkpoints.write(content(5))

    def killed(*arguments):
        if when == "save_file":
            (tmp_path / FOLDER / "step-10.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"bench.training.checkpoint.{when}", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.write(content(10))
    assert Checkpoints(tmp_path, "hash", None).latest().step == 5
    checkpoints.write(content(15))
    assert files(tmp_path) == ["step-15.json", "step-15.safetensors", "step-5.json", "step-5.safetensors"]


class Clock:
    """Stands for the time module."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def test_by_default_writing_takes_one_percent_of_the_time(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("bench.training.checkpoint.time", clock)

    def slow(path):
        clock.now += 3.0
        return 0

    monkeypatch.setattr("bench.training.checkpoint._checksum", slow)
    checkpoints = Checkpoints(tmp_path, "hash", None)

    def waits():
        start = clock.now
        while not checkpoints.due(lambda: 1000):
            clock.now += 1.0
        return clock.now - start

    assert waits() == 60
    checkpoints.write(content(1))
    assert waits() == 300
    # A large one waits for long before its cost is known.
    assert not Checkpoints(tmp_path, "hash", None).due(lambda: 10**12)


@pytest.mark.parametrize(("interval", "is_due"), [(0.0, True), (float("inf"), False)])
def test_a_given_interval_is_kept(tmp_path, interval, is_due):
    assert Checkpoints(tmp_path, "hash", interval).due(lambda: 10**12) is is_due


def test_a_signal_waits_for_a_checkpoint_and_then_takes_its_course():
    seen = []
    before = signal.signal(signal.SIGUSR2, lambda *_: seen.append("queued again"))
    try:
        interruption = Interruption()
        with interruption.put_off():
            assert not interruption.wanted()
            os.kill(os.getpid(), signal.SIGUSR2)
            assert interruption.wanted()
            assert not seen
            interruption.give_way()
            assert seen == ["queued again"]
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_launcher_may_ask_for_a_checkpoint():
    request_checkpoint()
    interruption = Interruption()
    assert interruption.wanted()
    assert not interruption.wanted(), "once"


MORTAL = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
from bench.methods.bitfit import BitFit

@dataclass(kw_only=True)
class Mortal(BitFit):
    dies_of: str

    def after_step(self, model, step):
        mark = Path(os.environ.get("MARK", "/"))
        if step == 4 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), getattr(signal, self.dies_of))
"""
YAML = "defaults: [bitfit, _self_]\n_target_: mortal.Mortal\nname: mortal\ndies_of: SIGKILL\n"


@pytest.mark.parametrize(
    ("dies_of", "resumed_at"), [pytest.param("SIGKILL", 3, marks=pytest.mark.slow), ("SIGTERM", 4)]
)
def test_a_cell_whose_process_died_ends_with_the_same_record_and_files(tmp_path, dies_of, resumed_at, monkeypatch):
    (tmp_path / "mine/method").mkdir(parents=True)
    (tmp_path / "mine/mortal.py").write_text(MORTAL)
    (tmp_path / "mine/method/mortal.yaml").write_text(YAML)
    # Bits depend on the number of threads, which two processes may choose differently.
    settings = ["method=mortal", f"method.dies_of={dies_of}", "training.log_every=4", "threads=1", *SHORT[:-1]]
    results = f"results_dir={tmp_path / 'killed'}"
    killed = subprocess.run(
        [sys.executable, "-m", "bench", "run", "--config-dir", str(tmp_path / "mine"), *settings, results,
         "checkpoint_seconds=0"],
        env=os.environ | {"MARK": str(tmp_path / "mark")}, check=False,
    )  # fmt: skip
    assert killed.returncode == -getattr(signal, dies_of)
    monkeypatch.syspath_prepend(tmp_path / "mine")
    with Configurations(str(tmp_path / "mine")) as configurations:
        resumed, path = run_cell(configurations.cell([*settings, results]))
        whole, whole_path = run_cell(configurations.cell([*settings, f"results_dir={tmp_path / 'whole'}"]))
    assert resumed.status == Status.done, resumed.error
    assert [entry["step"] for entry in read_record(path).environment["resumed"]] == [resumed_at]
    assert resumed.metrics == whole.metrics
    assert resumed.time.steps == whole.time.steps == 6
    for name in ("trained/state.safetensors", "predictions.json"):
        assert (path.parent / name).read_bytes() == (whole_path.parent / name).read_bytes()
    assert not (path.parent / FOLDER).exists(), "removed when the cell is done"
