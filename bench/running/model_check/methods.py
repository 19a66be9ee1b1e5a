"""Which methods a model takes, and why it does not take the others: each is tried on the model without values."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from bench.configuration.cell import Cell
from bench.configuration.compose import build
from bench.configuration.schema import Dtype, ModelConfig, Precision, Quantisation
from bench.errors import UserError
from bench.metering.parameters import count_adapted
from bench.metering.sizing import sized
from bench.methods.base import Method, Setting
from bench.methods.loading import storage
from bench.models.attention import Circumstances, settle
from bench.models.load import build_empty
from bench.models.quantisation import packable, plain_linear
from bench.models.structure import Structure
from bench.running.model_check.report import Section

MADE_OF_OTHERS = ("compose", "hybrid", "peft/any")  # say nothing of a model before they are told of which methods
STEPS, LENGTH = 1000, 16  # of a training that is not run; whether its texts fit is the task's question
# A GPU of the kind that has every attention: what a model cannot have anywhere is asked, not what this machine lacks.
ANYWHERE = torch.device("cuda")


def look_at_methods(
    source: ModelConfig, architecture: Any, structure: Structure, cells: Mapping[str, Callable[[], Cell]]
) -> Section:
    """Adapt the model on the meta device, once for each method; nothing is trained.

    Args:
        source: the model, as its configuration was read.
        architecture: its transformers configuration.
        structure: of it.
        cells: by the method's name, what composes a cell of the model with it.
    """
    section = Section()
    for name, compose in cells.items():
        try:
            section.fits[name] = _trained(source, architecture, structure, compose())
        except UserError as error:
            section.refused[name] = str(error)
        except Exception as error:  # a method of the user's own may fail in any way; the others are looked at
            section.wrong.append(f"{name}: {type(error).__name__}: {error}")
    if not section.fits and not section.wrong:
        section.wrong.append("no method can be had with this model")
    return section


def _trained(source: ModelConfig, architecture: Any, structure: Structure, cell: Cell) -> int:
    """How many parameters the method trains.

    Raises:
        UserError: the method and the model do not go together.
    """
    method, training = build(cell.config["method"], Method), cell.training
    dtype = Dtype.float32 if source.dtype == Dtype.auto else source.dtype  # it changes no count
    settle(source, architecture, Circumstances(ANYWHERE, Precision.bf16, method.attention_limit, planned=True))
    model = build_empty(source, architecture)
    setting = Setting(source.family, structure, STEPS, LENGTH, **storage(source, training, method, dtype))
    setting.check()
    if (chosen := sized(method, partial(build_empty, source, architecture), setting)) is not None:
        method = chosen.method
    if setting.quantisation != Quantisation.none:
        for path in packable(model, structure.linears):
            plain_linear(model, path, setting.quantisation)
    return count_adapted(model, method, setting).trainable
