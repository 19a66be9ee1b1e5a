"""A model's weights: are they all there, of which type, are they numbers, and do they know the text they are given?"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate.utils import set_seed
from torch import nn

from bench.configuration.schema import Dtype, Family, HeadWeights, ModelConfig, Quantisation, Weights
from bench.errors import UserError
from bench.models.attention import buildable
from bench.models.checkpoint import read_checkpoint
from bench.models.load import load_model, read_weights
from bench.models.number_types import TORCH, dtype_of
from bench.models.remarks import remarks
from bench.models.report import Read, base_tensors, check_base, check_values
from bench.models.source import is_local
from bench.running.model_check.inside import bare_count
from bench.running.model_check.report import Section

LARGEST_DRAWN = 200_000_000  # parameters; more random ones are not drawn for a look
ROOM = 0.8  # of the memory that is free, what a look may take
NAMED = 3  # tensors
SHORTEST = 2  # tokens: of which one is predicted
FIRST = 16  # tokens: random weights take any, where there is no tokenizer
CHANCE, LITTLE = 1.0, 0.75  # of ln(vocabulary): a loss that is no better, and one that is hardly
NEAR = 0.25  # of it: how far random weights' loss may be


def look_at_weights(
    base: ModelConfig, folder: Path | None, architecture: Any, empty: Any, *, tokens: Sequence[int], seed: int
) -> Section:
    """Read or draw them, where they are here and there is room for them, and run them once.

    Args:
        base: the model.
        folder: its files' on this machine; None where there is none.
        architecture: its transformers configuration.
        empty: it on the meta device.
        tokens: of a text; where there are none, weights that were learnt are not run.
        seed: of random weights.
    """
    counted = bare_count(empty, base.family)
    base = replace(base, attention=buildable(base, architecture), head=HeadWeights.fresh)
    if base.weights == Weights.random:
        if counted > LARGEST_DRAWN:
            words = f"{counted:,} random parameters, which are not drawn for a look (more than {LARGEST_DRAWN:,})"
            return Section(skipped=[words])
        return _look_at_random(base, architecture, tokens or range(FIRST), seed)
    if folder is None:
        words = f"the weights: they are not on this machine; bench fetch model={base.name} brings them"
        return Section(skipped=[words])
    # The hub's are read from where they lie here, so that nothing is downloaded.
    return _look_at_checkpoint(base, replace(base, path=str(folder)), architecture, counted, tokens)


def _look_at_random(base: ModelConfig, architecture: Any, tokens: Sequence[int], seed: int) -> Section:
    section = Section()
    set_seed(seed)
    try:
        model = load_model(base, architecture, dtype=dtype_of(base, architecture, None))
    except UserError as error:
        section.wrong.append(str(error))
        return section
    _run(section, base, model, tokens)
    return section


def _look_at_checkpoint(
    base: ModelConfig, here: ModelConfig, architecture: Any, counted: int, tokens: Sequence[int]
) -> Section:
    section, source = Section(), str(here.path)
    try:
        checkpoint = read_checkpoint(Path(source), here.allow_pickle)
        dtype = dtype_of(here, architecture, checkpoint)
    except UserError as error:
        return Section(wrong=[str(error)]) if is_local(base) else Section(skipped=[f"the weights: {error}"])
    types = Counter(tensor.dtype for tensor in checkpoint.tensors.values())
    section.facts = {"tensors": len(checkpoint.tensors), "stored in": dict(types), "read as": dtype.value}
    if base.quantisation != Quantisation.none:
        section.skipped.append(f"the weights in {base.quantisation}: they are looked at as they are before")
    size = counted * TORCH[dtype].itemsize
    if size > ROOM * psutil.virtual_memory().available:
        section.skipped.append(_too_large(size, dtype))
        return section
    try:
        read = read_weights(here, architecture, dtype=dtype)
    except UserError as error:
        section.wrong.append(str(error))
        return section
    _set_aside(section, read)
    section.doubts += remarks(here, checkpoint, read.structure)
    count = len(base_tensors(read.model, read.structure))
    said = f"the {count} tensors of the base are there, of the sizes of config.json, and no others of a base"
    is_whole = section.hold(said, lambda: check_base(read.model, read.report, read.structure, source))
    if section.hold("all values are finite", lambda: check_values(read.model, source)) and is_whole:
        _run(section, base, read.model, tokens)
    return section


def _too_large(size: int, dtype: Dtype) -> str:
    free = psutil.virtual_memory().available
    less = "; model.dtype=auto or bfloat16 may take half" if dtype == Dtype.float32 else ""
    return f"values and a pass: they take {size / 1e9:.1f} GB in {dtype}, and {free / 1e9:.1f} GB are free here{less}"


def _set_aside(section: Section, read: Read) -> None:
    """What the checkpoint has and the model of no task takes, and what a task's head is to begin with."""
    for said, key in (("left out", "unexpected_keys"), ("drawn anew", "missing_keys")):
        names = sorted(read.report[key])
        if key == "missing_keys":
            names = [name for name in names if read.structure.is_of_head(name)]
        if names:
            more = ", …" if len(names) > NAMED else ""
            section.facts[said] = f"{len(names)} tensors: {', '.join(names[:NAMED])}{more}"


def _run(section: Section, base: ModelConfig, model: nn.Module, tokens: Sequence[int]) -> None:
    """One pass: of an encoder with a fresh head, of the others to predict the text itself."""
    if len(tokens) < SHORTEST:
        section.skipped.append("a pass: there are no tokens to read")
        return
    ids = torch.tensor([list(tokens)])
    labels = torch.tensor([0]) if base.family == Family.encoder else ids
    with torch.inference_mode():
        found = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels)
    loss, chance = float(found.loss), math.log(found.logits.shape[-1])
    if not (math.isfinite(loss) and bool(torch.isfinite(found.logits).all())):
        section.wrong.append(f"a pass gives values that are not finite (loss {loss})")
        return
    section.right.append("a pass gives finite values")
    section.facts |= {"loss on the sample": loss, "loss of chance": chance}
    if base.family != Family.encoder:
        _judge(section, base, loss / chance)


def _judge(section: Section, base: ModelConfig, share: float) -> None:
    """What a loss says, as a share of that of chance, ln(vocabulary)."""
    if base.weights == Weights.random:
        if abs(share - 1) <= NEAR:
            section.right.append("random weights know as much as chance")
        else:
            section.doubts.append(f"random weights have {share:.2f} times the loss of chance")
    elif base.family == Family.decoder:  # what an encoder-decoder writes of a text depends on what it was taught
        if share >= CHANCE:
            section.wrong.append(
                "the next token is guessed no better than by chance: weights or tokenizer are of another model, or the "
                "sample is of a language that it does not know (sample=… gives another)"
            )
        elif share >= LITTLE:
            section.doubts.append(
                "the next token is guessed little better than by chance: is the tokenizer the model's own, and the "
                "sample of a language that it knows (sample=… gives another)?"
            )
        else:
            section.right.append("the next token is guessed better than by chance")
