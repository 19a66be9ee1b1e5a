"""A cell's trained model, put together again from its record and what lies beside it: base, method and head."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed
from torch import nn

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.cell import Cell
from bench.configuration.compose import build, use_config_dir
from bench.configuration.schema import Dtype, Precision, TrainingConfig
from bench.errors import UserError, unknown_name
from bench.identity.fingerprints import OF_MODEL, WORDS
from bench.metering.sizing import sized
from bench.methods.adapting import adapt
from bench.methods.base import Method, Setting
from bench.methods.loading import Storage, storage
from bench.models.head import head_parameters
from bench.models.load import build_empty, load_model
from bench.models.number_types import TORCH, set_trained
from bench.models.source import source_of
from bench.records.schema import Record, Status
from bench.records.store import read_record
from bench.records.trained import Trained, read_trained
from bench.running.base import Base, read_base
from bench.tasks.build import task_of
from bench.training.arithmetic import Arithmetic

OF_WEIGHTS = ("weights", "configuration")  # of a model's fingerprints; what was trained fits no others
ANY_STEPS = 2  # of a schedule that nobody follows any more, where the record says none


@dataclass(frozen=True)
class TrainedCell:
    """A cell whose trained model can be put together: all but the weights of its base are read.

    Attributes:
        record: the cell's.
        cell: as it was run; its model's path may be another now.
        base: the pretrained model's.
        method: in its final size.
        setting: of the method.
        trained: the tensors of method and head.
        device: where the model is to be.
    """

    record: Record
    cell: Cell
    base: Base
    method: Method
    setting: Setting
    trained: Trained
    device: torch.device

    @property
    def arithmetic(self) -> Arithmetic:
        """Of the model's forward pass."""
        return Arithmetic(self.base.precision, self.device)


@dataclass(frozen=True)
class Wanted:
    """How a cell's trained model is wanted; the arguments of `load`, which says what they are."""

    device: str = "auto"
    dtype: str | None = None
    base: str | Path | None = None
    config_dir: str | Path | None = None


def load(
    record: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    base: str | Path | None = None,
    config_dir: str | Path | None = None,
) -> nn.Module:
    """The trained model of a cell, ready for inference: its base, its method and its head.

    Args:
        record: the path of the cell's `record.json`, beside which `trained/` lies.
        device: "cpu", "cuda", "cuda:1" …; "auto": a GPU where there is one.
        dtype: "float32", "bfloat16" or "float16": of the base's values, the method's and the head's, where they are not
            quantised; None: as in the cell. In 16 bits it computes as a cell does: under autocast, outputs in float32.
        base: a folder that has the base's files now; None: where the record says they are.
        config_dir: a folder with classes of your own that the cell was made of.

    Returns:
        The adapted model in evaluation mode. It takes what transformers' model of its kind takes, and gives the same.

    Raises:
        UserError: the cell has not finished, what it trained is gone, damaged or another's, or the base is not the one
            of the record.
    """
    return assemble(read_cell(record, Wanted(device, dtype, base, config_dir)))


def read_cell(path: str | Path, wanted: Wanted | None = None) -> TrainedCell:
    """What `load` puts together, before a weight of the base is read; what is wanted and errors are its."""
    wanted = wanted or Wanted()
    record, chosen, dtype = finished(path), _device(wanted.device), wanted.dtype
    if wanted.config_dir is not None:
        use_config_dir(str(wanted.config_dir))
    cell = Cell.from_config(record.cell.config | {"model": _at(record.cell.config["model"], wanted.base)})
    _check_base(record, cell)
    trained = read_trained(Path(path).parent, record.cell.config_hash)
    method, training = build(cell.config["method"], Method), _training(cell.training, chosen, dtype)
    config = cell.base if dtype is None else replace(cell.base, dtype=_dtype(dtype))
    task = task_of(cell)
    read = read_base(config, training, task.head(), method, chosen)
    setting = Setting(
        config.family,
        read.structure,
        total_steps=record.time.steps or ANY_STEPS,
        max_length=task.longest_input(training.max_length),
        **_storage(read, training, method, dtype),
        seed=cell.seed,
    )
    found = sized(method, partial(build_empty, read.config, read.architecture), setting)
    method = method if found is None else method.in_size(found.size, setting)
    return TrainedCell(record, cell, read, method, setting, trained, chosen)


def assemble(found: TrainedCell) -> nn.Module:
    """The adapted model of a cell with what was trained in it, in evaluation mode, on its device.

    Raises:
        UserError: the base is not the one of the record, or what was trained does not fit it.
    """
    base, method, setting, trained = found.base, found.method, found.setting, found.trained
    set_seed(found.cell.seed)  # random weights are those of the cell
    model = load_model(base.config, base.architecture, setting.quantisation, found.device, setting.dtype)
    _check_base(found.record, found.cell)  # what had to be downloaded is here by now
    set_seed(found.cell.seed)
    model = adapt(model, method, setting)
    set_trained(model, setting.trained_dtype)
    for _, parameter in head_parameters(model, setting.structure):
        parameter.data = parameter.data.to(TORCH[setting.trained_dtype])
    if trained.settings is None:
        method.load_stored_state(model, trained.tensors)
    else:
        method.load_peft_form(model, setting, trained.tensors)
    return _computing(model.to(found.device).eval(), found.arithmetic)


def _computing(model: nn.Module, arithmetic: Arithmetic) -> nn.Module:
    """The same model, whose forward pass and writing compute in the cell's arithmetic."""
    writes: Any = getattr(model, "generate", None)

    def generate(*arguments: Any, **options: Any) -> Any:
        with arithmetic.autocast():
            return writes(*arguments, **options)

    if writes is not None:
        model.generate = generate  # type: ignore[assignment]  # of the instance, as accelerate's wrapper of `forward`
    return arithmetic.wrap(model)


def finished(path: str | Path) -> Record:
    """The record of a cell that has finished.

    Raises:
        UserError: there is none, or it has not.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; give the path of a cell's record.json")
    record = read_record(Path(path))
    if record.status != Status.done:
        raise UserError(f"{path}: the cell ended as '{record.status}', so there is nothing trained to use")
    return record


def _at(model: dict[str, Any], folder: str | Path | None) -> dict[str, Any]:
    """The section `model` of a cell whose base lies in `folder` now."""
    if folder is None:
        return model
    if not Path(folder).expanduser().is_dir():
        raise UserError(f"base={folder}: no such folder; give the one with the base's config.json and weights")
    return model | {"path": str(folder)}


def _check_base(record: Record, cell: Cell) -> None:
    """Refuse a base that is here and is not the one of the record."""
    for kind in OF_WEIGHTS:
        then, now = record.fingerprints.get(kind), OF_MODEL[kind](cell.config["model"])
        then, now = (one.get("digest") if isinstance(one, dict) else one for one in (then, now))
        if then is None:
            raise UserError(f"the record does not say which {kind} its base had, so what was trained has no base")
        if now is not None and now != then:
            raise UserError(
                f"{source_of(cell.base)}: {WORDS[kind]} there are not those that the cell was trained on; say "
                "base=FOLDER where these are"
            )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"device={name}: say auto, cpu, cuda or cuda:NUMBER") from error
    if device.type == "cuda" and not (device.index or 0) < torch.cuda.device_count():
        raise UserError(f"device={name}: there is no such device here; `bench doctor` says what there is")
    return device


def _dtype(name: str) -> Dtype:
    known = [kind for kind in Dtype if kind != Dtype.auto]
    if name not in known:
        raise unknown_name("dtype", name, known)
    return Dtype(name)


def _storage(base: Base, training: TrainingConfig, method: Method, dtype: str | None) -> Storage:
    """As the cell's, or with one type for the base and for what was trained, if one is asked for."""
    own = storage(base.config, training, method, base.dtype)
    return own if dtype is None else {**own, "dtype": _dtype(dtype), "trained_dtype": _dtype(dtype)}


def _training(training: TrainingConfig, device: torch.device, dtype: str | None) -> TrainingConfig:
    """The cell's, with the number types that are asked for, and without those that only a GPU has."""
    if dtype is not None:
        return replace(training, precision=Precision.auto)
    if training.precision == Precision.tf32 and device.type != "cuda":
        return replace(training, precision=Precision.fp32)
    return training
