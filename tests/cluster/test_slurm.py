"""`hydra/launcher=slurm` on a real SLURM of one node."""

import pickle
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cells import SHORT
from tests.cluster.one_node_slurm import OneNodeSlurm, missing
from tests.cluster.sweeps import LONG, STEPS, finish, outcome_of_wrecks, records, search, start, until
from tests.wrecks import write_wrecks

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(missing() is not None, reason=f"no SLURM: {missing()}")]

SLURM = "hydra/launcher=slurm"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNodeSlurm]:
    pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
    with OneNodeSlurm(tmp_path_factory.mktemp("slurm") / "cluster") as running:
        yield running


@pytest.fixture
def slurm(cluster: OneNodeSlurm) -> Iterator[OneNodeSlurm]:
    yield cluster
    until(lambda: not cluster.queue())  # no test leaves a job behind


def test_every_cell_of_an_array_ends_in_a_record_whatever_happens_to_its_job(slurm, tmp_path):
    mine = write_wrecks(tmp_path / "mine")
    command = (SLURM, "--config-dir", str(mine), "method=wreck", "method.how=exit,raise,none", *SHORT)
    code, errors = finish(start(tmp_path, slurm.environment, *command))
    assert code == 1, errors
    assert "3 jobs submitted" in errors
    found = outcome_of_wrecks(tmp_path)
    assert "FAILED" in found["exit"].error.message, "it says what SLURM says of the job"


class Spy:
    """What runs when somebody unpickles it."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def test_answers_that_lay_in_the_results_folder_before_are_never_read(slurm, tmp_path):
    latest = max(map(int, slurm.call("squeue", "--noheader", "--states=all", "--format=%A").split()), default=0)
    trace, folder = tmp_path / "trace", tmp_path / "results/.slurm"
    for job in range(latest, latest + 20):
        for name in (f"{job}_0_0_result.pkl", f"{job}_0_result.pkl", f"{job}_0_submitted.pkl"):
            for place in (folder / f"{job}", folder / f"{job}_0"):
                place.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(pickle.dumps(Spy(trace)))
    code, errors = finish(start(tmp_path, slurm.environment, SLURM, *SHORT))
    assert code == 0, errors
    assert [record.status for record in records(tmp_path)] == ["done"]
    assert not trace.exists()
    pickle.loads(pickle.dumps(Spy(trace)))
    assert trace.exists(), "it would have left a trace"


def test_settings_reach_slurm_and_mistakes_come_back_in_one_line(slurm, tmp_path):
    settings = ("hydra.launcher.timeout_min=7", "hydra.launcher.mem_gb=3", "hydra.launcher.cpus_per_task=2")
    code, errors = finish(start(tmp_path, slurm.environment, SLURM, *SHORT, *settings))
    assert code == 0, errors
    (script,) = (tmp_path / "results" / ".slurm").glob("*/*/*_submission.sh")
    options = {"--time=7", "--mem=3GB", "--cpus-per-task=2", "--requeue"}
    assert {f"#SBATCH {option}" for option in options} <= set(script.read_text().splitlines())
    for setting in ("partition=nowhere", "mem_gb=9000", "timeout_min=soon"):
        code, errors = finish(start(tmp_path, slurm.environment, SLURM, "seed=1,2", f"hydra.launcher.{setting}"))
        assert code == 2, errors
        assert errors.splitlines()[-1].startswith("bench: ")
        assert "Traceback" not in errors


def test_a_search_s_trials_are_jobs_round_after_round(slurm, tmp_path):
    search(tmp_path, slurm.environment, SLURM, *SHORT)
    folders = list((tmp_path / "results" / ".slurm").iterdir())
    assert len(folders) == 2, "an array for each round, none for the second call"


def test_preempted_and_timed_out_jobs_go_on_from_their_checkpoints(slurm, tmp_path):
    """One job is requeued by the operator; the other gets the signal that SLURM sends before the time limit."""
    sweep = start(tmp_path, slurm.environment, SLURM, "method=lora,bitfit", *STEPS)
    until(lambda: len({path.parent for path in tmp_path.rglob("checkpoint/step-*.json")}) == 2, sweep)
    first, second = sorted(slurm.queue())
    slurm.call("scontrol", "requeue", first)
    slurm.call("scancel", "--signal=USR2", second)
    for job in (first, second):
        until(lambda job=job: slurm.queue().get(job) == "PENDING", sweep)
        slurm.call("scontrol", "update", f"jobid={job}", "starttime=now")  # SLURM by itself would wait two minutes
    code, errors = finish(sweep)
    assert code == 0, errors
    for record in records(tmp_path):
        assert record.status == "done"
        assert [attempt["step"] > 0 for attempt in record.environment["resumed"]] == [True]
        assert record.time.steps == 400
    assert not list(tmp_path.rglob("attempt-*.json")), "each ended once"


def test_interrupting_the_sweep_cancels_its_jobs(slurm, tmp_path):
    sweep = start(tmp_path, slurm.environment, SLURM, "seed=0,1", *LONG)
    until(lambda: "RUNNING" in slurm.queue().values(), sweep)
    sweep.send_signal(signal.SIGINT)
    code, errors = finish(sweep)
    assert code == 130
    assert "the same command goes on" in errors
    until(lambda: not slurm.queue())
    assert not records(tmp_path)
