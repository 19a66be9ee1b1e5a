"""What can be said of the launchers of clusters without a cluster; with one: tests/cluster."""

import multiprocessing
import sys
from types import SimpleNamespace

import pytest

from bench.errors import UserError
from bench.records.schema import CellIdentity, Record, Status
from bench.records.store import FILE, folder_of, read_record, write_record
from bench.sweeping.launchers.cluster import ClusterLauncher, Job, Resources, run_there
from bench.sweeping.task import ELSEWHERE
from tests.cells import SHORT


class StubbornLauncher(ClusterLauncher):
    """A cluster that answers every job with the same."""

    def __init__(self, outcome, before):
        super().__init__(Resources(), None)
        self.outcome, self.before = outcome, before

    def answers(self, jobs, progress):
        self.before()
        for job in jobs:
            assert isinstance(job, Job)
            yield job, self.outcome


def status_after(outcome, cell, before=lambda: None):
    """What the launcher says of a cell that the cluster answers with `outcome`, after `before` has happened there."""
    launcher = StubbornLauncher(outcome, before)
    source = SimpleNamespace(provider="main", path="")
    config = SimpleNamespace(hydra=SimpleNamespace(runtime=SimpleNamespace(config_sources=[source])))
    loader = SimpleNamespace(load_sweep_config=lambda config, overrides: cell)
    launcher.setup(hydra_context=SimpleNamespace(config_loader=loader), task_function=None, config=config)
    return [answer.return_value for answer in launcher.launch([["seed=0"]], 0)]


@pytest.fixture
def cell(compose, monkeypatch):
    made = compose(*SHORT)
    monkeypatch.setattr("bench.sweeping.launchers.cluster.cell_of", lambda config: made)
    return made


def test_a_job_that_dies_leaves_a_failed_record_that_says_what_the_cluster_says(cell):
    assert status_after(RuntimeError("job 7_0 ended without an answer (OUT_OF_MEMORY)\nslurmstepd: …"), cell) == [
        "failed"
    ]
    error = read_record(folder_of(cell.config["results_dir"], cell) / FILE).error
    assert (error.type, error.message) == ("JobDied", "job 7_0 ended without an answer (OUT_OF_MEMORY)")
    assert "slurmstepd" in error.traceback


def test_a_job_that_dies_after_its_work_is_done(cell):
    folder = folder_of(cell.config["results_dir"], cell)
    done = Record(CellIdentity.of(cell), Status.done, {})
    assert status_after(RuntimeError("node failure"), cell, before=lambda: write_record(done, folder)) == ["done"]
    assert not list(folder.glob("attempt-*.json"))


def test_a_cell_that_takes_too_long_ends_with_a_record(cell, tmp_path):
    """Run as a job is run, in a process of its own; 0.2 seconds do not even suffice for the libraries."""
    job = Job(cell, "", str(tmp_path), None, Resources(timeout=0.2))
    process = multiprocessing.get_context("spawn").Process(target=run_there, args=(job,))
    process.start()
    process.join(60)
    assert process.exitcode == 1
    folder = folder_of(cell.config["results_dir"], cell)
    assert read_record(folder / FILE).error.message == "not finished after timeout=0.2 seconds"
    assert "most recent call first" in (folder / "log.txt").read_text(), "the log says where it was"


def test_a_cell_that_another_sweep_runs_is_left_to_it(cell):
    assert status_after("it is being run by process 7 on node2", cell) == [ELSEWHERE]
    assert not (folder_of(cell.config["results_dir"], cell) / FILE).exists()


@pytest.mark.parametrize(("launcher", "library"), [("slurm", "submitit"), ("ray", "ray")])
def test_a_launcher_without_its_library_says_what_to_install(cell, monkeypatch, launcher, library):
    from hydra.core.plugins import Plugins

    monkeypatch.setitem(sys.modules, library, None)
    name = {"slurm": "SlurmLauncher", "ray": "RayLauncher"}[launcher]
    settings = {"slurm": {"array_size": 1}, "ray": {"address": None, "cpus": 1, "gpus": 0, "memory_gb": None}}[launcher]
    settings |= {"workers": None} | ({"retries": 0} if launcher == "ray" else {})
    made = Plugins.instance().class_name_to_class[f"hydra_plugins.peft_rematch.{name}"](**settings)
    with pytest.raises(UserError, match=rf"pip install 'peft-rematch\[{launcher}\]'"):
        list(made.answers([Job(cell, "", ".", None, Resources())], None))


def test_without_a_slurm_a_sweep_ends_with_one_line(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = bench("run", "-m", "hydra/launcher=slurm", *SHORT)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("bench: hydra/launcher=slurm")
    assert "Traceback" not in result.stderr
