"""Trackers are told what a cell does, and decide nothing: neither its name, nor its figures, nor whether it ends."""

import sys
from types import SimpleNamespace

import pytest
import torch

from bench.distributed.team import Team
from bench.running import tracking
from bench.running.runner import run_cell
from bench.running.tracking import rates, start_trackers
from bench.tracking import trackers
from bench.tracking.trackers import Trackers
from tests.cells import SHORT

# What a user may put into the folder of --config-dir.
OWN = """
import random, time
from accelerate.tracking import GeneralTracker

TOLD = {}

class Own(GeneralTracker):
    name, requires_logging_directory, tracker = "own", False, None

    def __init__(self, run_name, **settings):
        self.run_name = run_name

    def start(self):
        TOLD[type(self).__name__] = [("start", self.run_name)]

    def store_init_configuration(self, values):
        self.note("settings", values)

    def log(self, values, step=None):
        random.seed(0)  # as a library does that draws a name for its run
        self.note(step, values)

    def finish(self):
        self.note("finish", None)

    def note(self, *said):
        TOLD[type(self).__name__].append(said)

class Slow(Own):
    def log(self, values, step=None):
        time.sleep(1.5 if step == 4 else 0.0)

class FailsAtStart(Own):
    def start(self):
        raise ConnectionError("no server\\nhere")

class FailsAtLog(Own):
    def log(self, values, step=None):
        raise SystemExit(3)

class FailsAtEnd(Own):
    def finish(self):
        raise RuntimeError("half written")

class HangsAtEnd(Own):
    def finish(self):
        time.sleep(600)
"""
FAULTY = ("FailsAtStart", "FailsAtLog", "FailsAtEnd", "HangsAtEnd")
LOGGED = (*SHORT, "method=lora", "training.head_learning_rate=1e-2")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "own_trackers.py").write_text(OWN)
    sys.path.insert(0, str(folder))
    import own_trackers

    yield own_trackers
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def ran(own, tmp_path_factory):
    """The same cell without trackers, and with all of them."""
    from tests.conftest import composed

    folder = tmp_path_factory.mktemp("tracked")
    names = ",".join(["tensorboard", *(f"own_trackers.{name}" for name in ("Own", "Slow", *FAULTY))])
    bare = composed(*LOGGED, f"results_dir={folder / 'bare'}")
    told = composed(*LOGGED, f"results_dir={folder / 'told'}", f"tracker=[{names}]", f"tracker_dir={folder}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trackers, "FINISH_SECONDS", 0.5)
        return folder, run_cell(bare)[0], run_cell(told)[0]


def test_they_are_no_part_of_the_cell(ran):
    _, bare, told = ran
    assert told.cell.id == bare.cell.id
    assert told.status == bare.status == "done"
    assert (told.metrics.losses, told.metrics.values) == (bare.metrics.losses, bare.metrics.values)
    assert told.storage == bare.storage
    assert bare.warnings == []
    assert "trackers" not in bare.environment


def test_each_fault_is_one_warning_and_ends_nothing(ran):
    _, _, told = ran
    assert [line.removeprefix("the tracker own_trackers.") for line in told.warnings] == [
        "FailsAtStart failed at its start (ConnectionError: no server here); the cell goes on without it",
        "FailsAtLog failed at step 2 (SystemExit: 3); the cell goes on without it",
        "FailsAtEnd failed at its end (RuntimeError: half written); the cell goes on without it",
        "HangsAtEnd has not answered at its end within 0.5 s; the cell goes on without it",
    ]
    said = told.environment["trackers"]
    assert said["tensorboard"]["problem"] is None
    assert "failed at its start" in said["own_trackers.FailsAtStart"]["problem"]


def test_the_time_of_a_slow_one_is_no_time_of_the_training(ran):
    _, _, told = ran
    assert told.environment["trackers"]["own_trackers.Slow"]["seconds"] > 1.5
    assert told.time.train < told.time.total - 1.5
    assert told.time.step_p95 < 1.5


def test_what_they_are_told_is_what_the_record_says(ran, own):
    _, _, told = ran
    first, (second, settings), *logged, last = own.TOLD["Own"]
    assert (first, second, last) == (("start", told.cell.id), "settings", ("finish", None))
    losses = [{"step": step, "loss": values["train/loss"]} for step, values in logged if "train/loss" in values]
    assert losses == told.metrics.losses
    assert (settings["training.max_steps"], settings["training.micro_batch_size"]) == (6, "null")


def test_tensorboard_shows_losses_rates_evaluations_and_memory(ran):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, _, told = ran
    events = EventAccumulator(str(folder / "tensorboard" / "runs" / told.cell.id)).Reload()
    found = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    for (step, value), expected in zip(found["train/loss"], told.metrics.losses, strict=True):
        assert (step, value) == (expected["step"], pytest.approx(expected["loss"]))
    [(step, value)] = found["score/accuracy"]
    assert (step, value) == (6, pytest.approx(told.metrics.values["accuracy"]))
    assert found["evaluation/accuracy"] == found["score/accuracy"]
    assert {tag for tag in found if tag.startswith("train/learning_rate/")} >= {"train/learning_rate/0.01"}
    assert found["memory/resident"][0][1] > 0
    [(_, peak)] = found["memory/train_peak"]
    assert peak == pytest.approx(told.memory.phases["train"].peak_rss)
    assert found["time/train"] == [(6, pytest.approx(told.time.train))]


def test_mlflow_keeps_a_run_in_a_database_beside_the_others(compose, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'peft-rematch[mlflow]'")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    record, _ = run_cell(compose(*LOGGED, "tracker=mlflow", f"tracker_dir={tmp_path / 'told'}"))
    assert record.warnings == []
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'told' / 'mlflow.db'}")
    [experiment] = client.search_experiments(filter_string="name = 'runs'")
    [run] = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == (record.cell.id, "FINISHED")
    assert run.data.params["method.name"] == "lora"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [{"step": one.step, "loss": one.value} for one in history] == record.metrics.losses
    assert run.data.metrics["score/accuracy"] == record.metrics.values["accuracy"]


def test_wandb_keeps_a_run_that_can_be_sent_later(compose, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="W&B is not installed: pip install 'peft-rematch[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    record, _ = run_cell(compose(*LOGGED, "tracker=wandb", f"tracker_dir={tmp_path / 'told'}"))
    assert record.warnings == []
    [kept] = (tmp_path / "told" / "wandb").glob("offline-run-*/run-*.wandb")
    content = kept.read_bytes()
    for word in (
        record.cell.id,
        "train/loss",
        "train/learning_rate",
        "evaluation/accuracy",
        "memory/resident",
        "score/",
    ):
        assert word.encode() in content, word


REFUSED = {
    "tensorbord": "unknown tracker 'tensorbord'; did you mean tensorboard?",
    "[tensorboard,1]": "unknown tracker '1'",
    "{a:b}": "must be a name or a list of names",
    "dvclive": "tracker=dvclive is not installed; pip install dvclive",
    "[dvclive,wandb]": "tracker=dvclive is not installed",
    "wandb": "tracker=wandb is not installed; pip install 'peft-rematch[wandb]'",
    "pathlib.Path": "is no subclass of",
    "nowhere.Tracker": "cannot import nowhere.Tracker",
    "tensorboard tracker_dir=''": "tracker_dir= is empty",
}


@pytest.mark.parametrize("tracker", REFUSED)
def test_one_that_is_not_there_is_refused_before_anything_runs(bench, tmp_path, tracker, monkeypatch):
    monkeypatch.setattr("bench.configuration.trackers._is_there", lambda module: False)
    assert is_refused(bench("run", *f"tracker={tracker}".split()), REFUSED[tracker])
    if tracker == "wandb":
        swept = bench("sweep", "experiment=miniature/glue", "task=miniature/sst2", "method=bitfit", "tracker=wandb")
        assert is_refused(swept, REFUSED[tracker])
    assert not [path for path in tmp_path.rglob("*") if "lora" in path.name or "bitfit" in path.name]


def is_refused(result, said):
    return result.returncode == 2 and said in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_a_folder_that_a_tracker_left_is_not_the_tracker(tmp_path, monkeypatch):
    from bench.configuration.trackers import _is_there

    (tmp_path / "dvclive").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not _is_there("dvclive")


def test_several_in_a_sweep_are_told_about_the_same_cells():
    import bench

    few = {"experiment": "miniature/glue", "task": "miniature/sst2", "method": "bitfit", "seed": 0}
    [cell] = bench.sweep(**few, tracker=["tensorboard", "mlflow"]).cells
    assert cell.cell.config["tracker"] == ["tensorboard", "mlflow"]
    assert cell.id == bench.sweep(**few).cells[0].id


def test_only_the_first_process_of_a_team_tells(monkeypatch):
    monkeypatch.setattr(Team, "agree", lambda self, value: value)
    monkeypatch.setattr(Trackers, "start", lambda self, cell, warn: self._all.append(cell))
    for rank, told in ((0, True), (1, False)):
        cell = SimpleNamespace(config={"tracker": "tensorboard"})
        run = SimpleNamespace(team=Team(rank, 2), cell=cell, trackers=Trackers(), warn=print)
        start_trackers(run)
        assert run.trackers.are_there is told


@pytest.mark.slow
def test_two_processes_are_one_run(bench_process, tmp_path):
    pytest.importorskip("tensorboard")
    team = ("distributed=ddp", "processes=2", "method.dropout=0")
    result = bench_process("run", *LOGGED, *team, "tracker=tensorboard")
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "trackers" / "tensorboard").glob("runs/*/events.*"))) == 1


def test_rates_are_told_apart_by_what_they_began_with():
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimiser = torch.optim.SGD([{"params": weights[:1], "lr": 1.0}, {"params": weights[1:], "lr": 1.0}])
    assert rates(optimiser) == {"train/learning_rate": 1.0}
    optimiser.param_groups[1]["lr"] = 0.5
    assert rates(optimiser) == {"train/learning_rate/1": 1.0, "train/learning_rate/0.5": 0.5}


def test_a_cell_that_fails_ends_its_trackers_too(own, compose, monkeypatch):
    own.TOLD.clear()
    monkeypatch.setattr("bench.running.runner.fit", lambda *_, **__: 1 / 0)
    record, _ = run_cell(compose(*LOGGED, "tracker=own_trackers.Own"))
    assert record.error.type == "ZeroDivisionError"
    assert own.TOLD["Own"][-1] == ("finish", None)
    assert tracking.closing(record)["time/total"] > 0
