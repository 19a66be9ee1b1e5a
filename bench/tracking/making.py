"""From a tracker's name to accelerate's tracker of one cell, and where it keeps what it keeps on this machine."""

import os
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from filelock import FileLock

from bench.configuration.cell import Cell
from bench.configuration.compose import class_at
from bench.configuration.trackers import KNOWN, check_installed, trackers_of
from bench.errors import UserError

STORE = "MLFLOW_TRACKING_URI"  # where MLflow's server or store is, if the user says it


def check_trackers(cell: Cell) -> None:
    """Refuse a tracker that is not installed, or a class that is none.

    Raises:
        UserError: one line.
    """
    check_installed([cell.config])
    for name in trackers_of(cell.config):
        if name not in KNOWN and not issubclass(class_at(name, name), GeneralTracker):
            raise UserError(f"tracker={name} is no subclass of accelerate.tracking.GeneralTracker")


def make_tracker(name: str, cell: Cell) -> GeneralTracker:
    """A cell's tracker, started."""
    kind: Any = LOGGER_TYPE_TO_CLASS[name] if name in KNOWN else class_at(name, name)
    folder = Path(cell.config["tracker_dir"]).absolute()
    project = cell.experiment.replace("/", "-")  # W&B takes no slash
    folder.mkdir(parents=True, exist_ok=True)
    alone: Any = nullcontext()
    if name == "mlflow":
        if not os.environ.get(STORE):
            import_module("mlflow").set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
        tracker = kind(cell.experiment, logging_dir=None, run_name=cell.id)
        # Cells that begin at once would each make the store's tables, and the experiment.
        alone = FileLock(folder / "mlflow.lock")
    elif name == "wandb":
        tracker = kind(project, name=cell.id, dir=str(folder), settings={"console": "off"})
    elif name == "trackio":
        tracker = kind(project, name=cell.id)
    elif kind.requires_logging_directory:
        tracker = kind(f"{cell.experiment}/{cell.id}", str(folder / name))
    else:
        tracker = kind(cell.id)
    with alone:
        tracker.start()
    started: GeneralTracker = tracker
    return started
