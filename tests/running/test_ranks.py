"""`distributed=ddp processes=2` as a user sees it: torchrun, one record, and what becomes of one that fails."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from bench.records.schema import CellIdentity, Failure, Memory, PhaseMemory, Record, Status
from bench.records.store import read_record
from bench.running.ranks import joined
from bench.running.runner import run_cell
from tests.cells import SHORT
from tests.patience import wait_for

SETTINGS = ("method=lora", "method.dropout=0", *SHORT)


def test_one_record_with_the_losses_of_one_process_and_the_memory_of_each(bench_process, compose, tmp_path):
    result = bench_process("run", *SETTINGS, f"results_dir={tmp_path / 'two'}", "distributed=ddp", "processes=2")
    assert result.returncode == 0, result.stderr
    (path,) = (tmp_path / "two").rglob("record.json")
    record = read_record(path)
    alone, alone_path = run_cell(compose(*SETTINGS))
    assert record.cell.config_hash == alone.cell.config_hash
    assert [e["loss"] for e in record.metrics.losses] == pytest.approx([e["loss"] for e in alone.metrics.losses])
    assert record.metrics.values == alone.metrics.values
    assert record.storage == alone.storage
    assert json.loads((path.parent / "predictions.json").read_text()) == json.loads(
        (alone_path.parent / "predictions.json").read_text()
    )
    memory = record.memory
    assert len(memory.ranks) == 2
    assert memory.phases["train"].peak_rss == sum(phases["train"].peak_rss for phases in memory.ranks)


MORTAL = """
import os, time
from dataclasses import dataclass
from bench.methods.bitfit import BitFit

@dataclass(kw_only=True)
class Mortal(BitFit):
    how: str

    def after_step(self, model, step):
        if step == 3 and os.environ["RANK"] == "1":
            if self.how == "dies":
                os._exit(9)
            if self.how == "hangs":
                print("pid", os.getpid(), flush=True)
                time.sleep(600)
            raise MemoryError("no room on this one")
"""


@pytest.fixture
def mortal(tmp_path):
    """A method that comes to grief on the second process: the command that runs it, and the cell's folder."""
    (tmp_path / "mine/method").mkdir(parents=True)
    (tmp_path / "mine/mortal.py").write_text(MORTAL)
    (tmp_path / "mine/method/mortal.yaml").write_text(
        "defaults: [bitfit, _self_]\n_target_: mortal.Mortal\nname: mortal\nhow: raises\n"
    )
    return [
        sys.executable, "-m", "bench", "run", "--config-dir", str(tmp_path / "mine"), "method=mortal", *SHORT,
        f"results_dir={tmp_path / 'results'}", "distributed=ddp", "processes=2",
    ]  # fmt: skip


def test_what_happened_on_one_process_is_what_the_record_tells(mortal, tmp_path):
    result = subprocess.run(mortal, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (path,) = (tmp_path / "results").rglob("record.json")
    record = read_record(path)
    assert record.status == Status.out_of_memory
    assert record.error.message == "no room on this one"


@pytest.mark.slow
def test_killed_it_leaves_no_process_behind(mortal, tmp_path):
    process = subprocess.Popen([*mortal, "method.how=hangs"], stderr=subprocess.DEVNULL)
    log = wait_for(lambda: next(iter((tmp_path / "results").rglob("ranks.txt")), None))
    rank = int(wait_for(lambda: re.search(r"pid (\d+)", log.read_text()))[1])
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not is_running(rank))


ALOUD = """
import sys
from bench.configuration.compose import Configurations
from bench.running.runner import run_cell
with Configurations() as configurations:
    cell = configurations.cell(sys.argv[1:])
run_cell(cell, report=lambda phase, *where: print(phase, flush=True))
"""


@pytest.mark.parametrize("to_all", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["all", "the first alone"])
def test_told_that_time_is_up_it_writes_a_checkpoint_and_ends(to_all, tmp_path):
    """As SLURM tells it: by SIGUSR2, to all processes of a job; whoever does not know the signal is ended by it."""
    long = ("training.max_steps=100000", "training.epochs=10000", "training.log_every=1", "checkpoint_seconds=100000")
    two = (f"results_dir={tmp_path}", "distributed=ddp", "processes=2")
    process = subprocess.Popen([sys.executable, "-c", ALOUD, *SETTINGS, *long, *two], stdout=subprocess.PIPE)
    assert any(line == b"train\n" for line in process.stdout)
    members = psutil.Process(process.pid).children(recursive=True)
    assert len(members) >= 3, "torchrun and two"
    for member in members if to_all else []:
        member.send_signal(signal.SIGUSR2)
    process.send_signal(signal.SIGUSR2)
    process.communicate()
    assert process.returncode == -signal.SIGUSR2
    saved = list(tmp_path.rglob("checkpoint/step-*.json"))  # told twice, as a job and by its parent, it may write two
    assert saved
    assert all(json.loads(file.read_text())["state"]["step"] > 0 for file in saved)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def record_of(cell, status, rss, error=None, end="1"):
    record = Record(CellIdentity.of(cell), status, {"end": end}, error=error)
    record.memory = Memory("rss", {"train": PhaseMemory(peak_rss=rss)})
    record.time.tokens_per_second = 10.0
    return record


@pytest.fixture
def two(compose):
    return compose("distributed=ddp", "processes=2")


def test_of_records_of_every_process_memory_and_speed_add_up(two):
    record = joined(two, [record_of(two, Status.done, 5), record_of(two, Status.done, 7)], "died")
    assert record.status == Status.done
    assert record.memory.phases["train"] == PhaseMemory(peak_rss=12)
    assert [phases["train"].peak_rss for phases in record.memory.ranks] == [5, 7]
    assert record.time.tokens_per_second == 20.0
    assert Record.from_dict(json.loads(json.dumps(record.to_dict()))) == record


def test_the_first_failure_is_the_one_that_counts(two):
    late = record_of(two, Status.failed, 5, Failure("RuntimeError", "connection closed by peer", "", "train"), end="2")
    early = record_of(two, Status.failed, 5, Failure("ValueError", "the cause", "", "train"), end="1")
    assert joined(two, [late, early], "died").error.message == "the cause"
    oom = replace(late, status=Status.out_of_memory, error=Failure("OutOfMemoryError", "no room", "", "train"))
    assert joined(two, [early, oom], "died").status == Status.out_of_memory


def test_a_process_without_a_record_has_died(two):
    record = joined(two, [record_of(two, Status.done, 5)], "one of 2 processes died")
    assert (record.status, record.error.message) == (Status.failed, "one of 2 processes died")
