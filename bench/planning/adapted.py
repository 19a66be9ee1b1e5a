"""A cell's model as its method adapts it, without weights, and the largest batch that it may be given."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

import bench.system.quiet  # noqa: F401  # before the libraries that it silences
from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.configuration.number_types import precision_for
from bench.configuration.schema import AttentionKind, Precision, Quantisation, Weights
from bench.data.example import Padding
from bench.data.synthetic import Shape
from bench.metering.parameters import count_all, count_parameters
from bench.metering.sizing import sized
from bench.metering.storages import StorageTracker
from bench.methods.adapting import adapt
from bench.methods.base import Batch, Method, Setting
from bench.methods.budget import Size
from bench.methods.loading import as_wanted, storage
from bench.models.attention import Circumstances, settle
from bench.models.families import structure_of
from bench.models.head import with_pooler
from bench.models.load import build_empty, load_architecture
from bench.models.number_types import dtype_of, lower, set_trained
from bench.models.quantisation import Packing
from bench.models.source import checkpoint_at_hand
from bench.planning.batch import largest_batch
from bench.planning.cuda_kernels import recomputed
from bench.planning.depths import described, stacks_of, with_depths
from bench.records.schema import Parameters
from bench.tasks.build import task_of
from bench.training.optimiser import step_count
from bench.training.padding_free import settle_padding_free

USUAL_EXAMPLES = 1000  # of a task that does not say how many it has


@dataclass(frozen=True)
class Adapted:
    """What a step of training needs: the adapted model on the meta device, and a batch of the largest size."""

    model: nn.Module
    method: Method
    setting: Setting
    precision: Precision
    attention: AttentionKind
    padding_free: bool
    parameters: Parameters
    batch: Batch
    stacks: list[tuple[str, list[nn.Module]]]  # its blocks
    size: Size | None = None  # of its method, where that has a budget

    def held(self, device: str) -> dict[str, int]:
        """Bytes of the model by part."""
        tracker = StorageTracker(torch.device(device), lives_on=torch.device("meta"))
        tracker.hold(self.model)
        return vars(tracker.living)

    def blocks(self) -> tuple[tuple[Any, ...], ...]:
        """What the blocks are; none where they are not the model's any more."""
        inside = set(self.model.modules())
        if not all(block in inside for _, blocks in self.stacks for block in blocks):
            return ()
        return described(blocks for _, blocks in self.stacks)


def adapt_cell(cell: Cell, device: str, depths: dict[str, int] | None = None, size: Size | None = None) -> Adapted:
    """The model of a cell as its method adapts it.

    Args:
        cell: the cell.
        device: "cuda" or "cpu": whose kernels to reckon with.
        depths: how many blocks each stack is to have; None: all.
        size: of a method with a budget, what the whole model's blocks make of it; None: to be found.
    """
    task, method, training = task_of(cell), build(cell.config["method"], Method), cell.training
    source = replace(cell.base, weights=Weights.random) if cell.base.architecture else cell.base
    architecture = load_architecture(source, task.head())
    base = replace(source, weights=Weights.random)
    if depths is not None:
        architecture = with_depths(architecture, list(depths), tuple(depths.values()))
    empty, checkpoint = build_empty(base, architecture), checkpoint_at_hand(cell.base)
    structure = with_pooler(structure_of(empty, base.family, base.structure), empty, checkpoint)
    dtype = dtype_of(cell.base, architecture, checkpoint)
    precision = precision_for(dtype, training.precision, training.master_weights)
    where = Circumstances(torch.device(device), precision, method.attention_limit, planned=True)
    base = settle(as_wanted(base, method), architecture, where)
    setting = Setting(
        base.family,
        structure,
        total_steps=step_count(replace(training, max_steps=None), _example_count(task)),
        max_length=task.longest_input(training.max_length),
        gradient_checkpointing=training.gradient_checkpointing,
        **storage(base, training, method, dtype),
    )
    setting.check()
    if method.budget is not None and size is None:
        found = sized(method, partial(build_empty, base, architecture), setting)
        size = None if found is None else found.size
    if size is not None:
        method = method.in_size(size, setting)
    method.check(setting)
    multiple = 8 if device == "cuda" else 1
    padding = Padding(architecture.pad_token_id or 0, multiple, most=setting.max_length)
    shape = Shape(
        training.micro_batch_size or training.batch_size, training.max_length, training.max_length,
        architecture.vocab_size, padding.token, seed=0,
    )  # fmt: skip
    padding_free = settle_padding_free(training, base.attention, architecture, method, setting)
    batch = largest_batch(task.synthesise(shape), padding, base.attention, padding_free=padding_free.used)
    model = build_empty(base, architecture)
    blocks = [(name, [model.get_submodule(path) for path in paths]) for name, paths in stacks_of(structure)]
    base_total = count_all(model)
    lower(model, structure, setting.dtype)
    with torch.device("meta"):
        if setting.quantisation != Quantisation.none:
            # Imported late: it draws in bitsandbytes, which must not be loaded before a worker has its GPU.
            from bench.planning.packed import pack

            pack(model, structure.linears, Packing.of(base, setting.quantisation), device)
        if setting.gradient_checkpointing:
            contexts = {"context_fn": recomputed} if device == "cuda" else {}
            model.gradient_checkpointing_enable({"use_reentrant": False, **contexts})  # type: ignore[operator]
        model = adapt(model, method, setting)
    set_trained(model, setting.trained_dtype)
    parameters = count_parameters(model, method, structure, base_total)
    return Adapted(
        model, method, setting, precision, base.attention, padding_free.used, parameters, batch, blocks, size
    )  # fmt: skip


def _example_count(task: Any) -> int:
    """Training examples, as far as they are published; some methods have a schedule."""
    rows = [published.rows.get(split) for published, split in task.sources() if split == "train"]
    return next((count for count in rows if count), USUAL_EXAMPLES)
