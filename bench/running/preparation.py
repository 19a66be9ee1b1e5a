"""What a cell needs before it can train: tokenizer, data, the model's structure, and the model with its method.

Everything that can be refused is refused in `prepare`, before a weight is loaded.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from accelerate.utils import set_seed
from torch import nn
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from bench.configuration.cell import Cell
from bench.configuration.schema import ModelConfig
from bench.data.example import Batching, Flattening, Padding
from bench.data.held_text import HeldText
from bench.data.synthetic import Shape
from bench.data.vocabulary import check_tokens
from bench.evaluation.inference import Inference
from bench.metering.parameters import check_sized, count_all, count_parameters
from bench.metering.phases import PhaseMeter
from bench.metering.sizing import Sized, sized
from bench.methods.adapting import adapt
from bench.methods.base import Method, Setting
from bench.methods.loading import storage
from bench.models.found import structure_origin
from bench.models.load import HOST, build_empty, load_model
from bench.models.number_types import set_trained
from bench.models.remarks import head_origin, remarks
from bench.models.tokenizer import load_tokenizer, padding_token
from bench.records.schema import Parameters
from bench.running.base import read_base
from bench.running.forgetting_text import check_forgetting, forgetting_text, overlap_warnings
from bench.running.scores import assumption, scored_on
from bench.tasks.base import Task, TaskData
from bench.tasks.check import check_selection, check_task
from bench.tasks.leaks import leak_warnings
from bench.training.arithmetic import Arithmetic
from bench.training.compiling import check_compiling
from bench.training.optimiser import step_count
from bench.training.padding_free import PADDED, PaddingFree, settle_padding_free


@dataclass(frozen=True)
class Prepared:
    """A cell that is ready to have its model loaded.

    Attributes:
        base: the model's configuration, with the attention that it computes with in place of `auto`.
        architecture: the model's transformers configuration.
        arithmetic: of its forward and backward passes.
        data: tokenised.
        padding: how batches are padded, those of the training where these are not padding-free.
        inference: how the task is scored; None on synthetic data, where nothing is.
        setting: what the method may know.
        head: what the task head starts from, see `bench.models.remarks`.
        structure: where the model's structure came from, see `bench.models.found`.
        warnings: what a reader of the scores ought to know of the model's files, tokens and data, one line each.
        padding_free: whether the training's batches are, and why.
        text: on which forgetting is measured; None where it is not asked for.
        sized: the method in the size of its budget; None: it has none.
    """

    base: ModelConfig
    architecture: PretrainedConfig
    arithmetic: Arithmetic
    data: TaskData
    padding: Padding
    inference: Inference | None
    setting: Setting
    head: dict[str, Any] | None
    structure: dict[str, Any] | None
    warnings: list[str] = field(default_factory=list)
    padding_free: PaddingFree = PADDED
    text: HeldText | None = None
    sized: Sized | None = None

    @property
    def batching(self) -> Batching:
        """How the training's examples become batches."""
        return Flattening() if self.padding_free.used else self.padding

    def resized(self, method: Method) -> Method:
        """A method of the cell, as its configuration makes it, in the size of its budget."""
        return method if self.sized is None else method.in_size(self.sized.size, self.setting)

    @property
    def number_types(self) -> dict[str, Any]:
        """What the record says of them: `auto` as it was found."""
        setting = self.setting
        return {
            "dtype": str(setting.dtype), "trained": str(setting.trained_dtype),
            "precision": str(self.arithmetic.precision),
        }  # fmt: skip


def prepare(cell: Cell, task: Task, method: Method, meter: PhaseMeter, device: torch.device) -> Prepared:
    """Read tokenizer, structure and data, and check that model, task, method and lengths fit together.

    Raises:
        UserError: something is missing or does not fit.
        UnsupportedError: the method and the model do not go together.
    """
    training, task = cell.training, task.on(cell.base.family)
    check_forgetting(cell, task)
    with meter.phase("load"):
        read = read_base(cell.base, training, task.head(), method, device, way=cell.config["distributed"])
        base, architecture, structure, empty = read.config, read.architecture, read.structure, read.empty
        tokenizer = None if cell.data.synthetic else load_tokenizer(base)
        if training.compile:
            check_compiling(structure, device, cell.config["processes"])
        origin = structure_origin(base, empty)
    rows = empty.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    pad_token = padding_token(tokenizer, architecture, base.family, rows)
    longest = training.max_length if tokenizer is None else task.longest_input(training.max_length)
    padding = Padding(pad_token, multiple=8 if device.type == "cuda" else 1, most=longest)
    text, warnings = None, list[str]()
    with meter.phase("prepare_data"):
        if tokenizer is None:
            shape = Shape.of(cell.data, longest, architecture.vocab_size, pad_token, cell.seed)
            data, inference = TaskData(task.synthesise(shape), {}, notes={"synthetic": True}), None
        else:
            data, text, segments, warnings = _read(cell, task, tokenizer, architecture, rows)
            padding = replace(padding, segments=segments)
            limits = training.evaluation_batch_size, training.evaluation_tokens
            inference = Inference(tokenizer, padding, *limits, notes=data.notes)
    setting = Setting(
        base.family,
        structure,
        total_steps=step_count(training, len(data.train)) if method.trains_anything else 0,
        max_length=longest,
        gradient_checkpointing=training.gradient_checkpointing,
        **storage(base, training, method, read.dtype),
        seed=cell.seed,
    )
    setting.check()
    chosen = sized(method, partial(build_empty, base, architecture), setting)
    method = method if chosen is None else chosen.method
    method.check(setting)
    padding_free = settle_padding_free(training, base.attention, architecture, method, setting)
    warnings += [*remarks(base, read.checkpoint, structure), *overlap_warnings(text)]
    arithmetic, head = Arithmetic(read.precision, device), head_origin(base, structure)
    return Prepared(
        base, architecture, arithmetic, data, padding, inference, setting, head, origin, warnings, padding_free, text,
        chosen,
    )  # fmt: skip


def _read(
    cell: Cell, task: Task, tokenizer: PreTrainedTokenizerBase, architecture: PretrainedConfig, rows: int
) -> tuple[TaskData, HeldText | None, bool, list[str]]:
    """Read and check a task's data and the text on which forgetting is measured.

    Args:
        cell: which one.
        task: on its family.
        tokenizer: the model's.
        architecture: the model's.
        rows: of its embeddings.

    Returns:
        Data and text, whether the model is given segment ids, and what a reader must know of them.
    """
    longest = task.longest_input(cell.training.max_length)
    data = task.load(tokenizer, cell.training.max_length, cell.data)
    check_task(task, data)
    if cell.data.selects:
        check_selection(task, data)
    data.notes["scored_on"] = scored_on(data)
    text = forgetting_text(cell, tokenizer, longest, data.train)
    read = {"train": data.train} | {name: split.examples for name, split in data.evaluation.items()}
    read |= {} if text is None else {"forgetting_text": text.windows}
    known = check_tokens(read, tokenizer, architecture, cell.base.family, rows)
    data.notes["unknown_tokens"], warnings = known.unknown, list(known.warnings)
    if (main := task.metric(task.main_metric)).assumed:
        warnings.append(assumption(main))
    if cell.data.selects:
        warnings += leak_warnings(data)
    return data, text, known.segments, warnings


def load_adapted(
    cell: Cell, method: Method, prepared: Prepared, device: torch.device = HOST
) -> tuple[nn.Module, Parameters]:
    """Load the model, apply the method, and count.

    The random state is set before each of the two, so that a seed gives every method the same task head. A model that
    is to be cut into pieces (FSDP) is read into the host's memory: a GPU may not have room for the whole.
    """
    setting = prepared.setting
    check_sized(method)
    set_seed(cell.seed)
    home = HOST if cell.config["distributed"] == "fsdp" else device
    model = load_model(prepared.base, prepared.architecture, setting.quantisation, home, setting.dtype)
    if setting.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[operator]
    base_total = count_all(model)
    set_seed(cell.seed)
    model = adapt(model, method, setting)
    set_trained(model, setting.trained_dtype)
    return model, count_parameters(model, method, setting.structure, base_total)


def load_bare(prepared: Prepared, device: torch.device) -> nn.Module:
    """The model without the method, as the cell's `model` configures it, in the cell's arithmetic."""
    base = prepared.base
    model = load_model(base, prepared.architecture, base.quantisation, device, prepared.setting.dtype)
    return prepared.arithmetic.wrap(model.to(device))
