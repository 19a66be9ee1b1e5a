"""The type of the base's values: what `auto` finds, and what is kept wider than the rest."""

from types import SimpleNamespace

import pytest
import torch

from bench.configuration.schema import Dtype, ModelConfig
from bench.errors import UserError
from bench.models.checkpoint import Checkpoint, Stored
from bench.models.families import structure_of
from bench.models.head import Head
from bench.models.load import load_architecture, load_model
from bench.models.number_types import dtype_of, lower
from tests.tiny import tiny_model

AUTO = ModelConfig("tiny", "tiny", "decoder", dtype="auto")
SHIPPED = ModelConfig("miniature", "miniature", "encoder", shipped="roberta")


def test_auto_takes_what_most_of_the_checkpoint_is_stored_in():
    stored = {"norm": Stored("F32", (64,)), "linear": Stored("BF16", (64, 64)), "ids": Stored("I64", (9, 99, 99))}
    named = SimpleNamespace(dtype=torch.float32)  # config.json may say anything
    assert dtype_of(AUTO, named, Checkpoint(None, stored)) == Dtype.bfloat16
    assert dtype_of(AUTO, SimpleNamespace(dtype=torch.float16), None) == Dtype.float16


def test_auto_is_refused_where_nothing_tells():
    with pytest.raises(UserError, match=r"model\.dtype=auto .* is not known here; say model\.dtype=bfloat16"):
        dtype_of(AUTO, SimpleNamespace(dtype=None), None)


def test_what_overflows_in_fp16_stays_in_fp32_as_where_it_is_read():
    model = tiny_model("encoder_decoder")
    structure = structure_of(model, "encoder_decoder")
    lower(model, structure, Dtype.float16)
    types = {name.split(".")[-2]: p.dtype for name, p in model.named_parameters()}
    assert types["wo"] == torch.float32
    assert types["wi"] == types["q"] == types["layer_norm"] == torch.float16


def test_a_checkpoint_is_read_in_the_type_asked_for_and_its_fresh_head_is_the_same_in_fp32():
    architecture = load_architecture(SHIPPED, Head(2))
    models = []
    for dtype in (Dtype.float32, Dtype.bfloat16):
        torch.manual_seed(3)
        models.append(load_model(SHIPPED, architecture, dtype=dtype))
    wide, low = (dict(model.named_parameters()) for model in models)
    head = {name for name in wide if name.startswith("classifier")}
    assert all(torch.equal(wide[name], low[name]) for name in head)
    assert {low[name].dtype for name in wide.keys() - head} == {torch.bfloat16}
    assert all(torch.equal(wide[name].bfloat16(), low[name]) for name in wide.keys() - head)
