"""`model.attention`, from the command line into every part of the model, the planned one included."""

import pytest
from transformers import PreTrainedModel

from bench.configuration.compose import Configurations
from bench.errors import UserError
from bench.metering.storages import CUDA_BLOCK
from bench.methods.shared.prefixed_attention import use_prefixed_attention
from bench.models.load import build_empty, load_architecture, load_model
from bench.planning.predict import predict
from bench.sweeping.sweeper import selected
from tests.cells import MODELS, TASKS


def kinds_of(model):
    return {part.config._attn_implementation for part in model.modules() if isinstance(part, PreTrainedModel)}


@pytest.mark.parametrize("kind", ["sdpa", "eager"])
@pytest.mark.parametrize("weights", ["pretrained", "random"])
@pytest.mark.parametrize("family", MODELS)
def test_every_part_of_a_model_is_told(compose, family, weights, kind):
    names = f"model={MODELS[family]}", f"task={TASKS[family]}"
    base = compose(*names, f"model.weights={weights}", f"model.attention={kind}").base
    architecture = load_architecture(base, None)
    for model in (load_model(base, architecture), build_empty(base, architecture)):
        assert kinds_of(model) == {kind}


@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_a_method_s_attention_is_its_own_model_s_alone(compose, weights):
    base = compose(f"model.weights={weights}").base
    architecture = load_architecture(base, None)
    use_prefixed_attention(load_model(base, architecture))
    assert kinds_of(load_model(base, architecture)) == {"sdpa"}


def test_a_planned_encoder_keeps_the_softmax_of_all_pairs_of_tokens(compose):
    """Fused attention keeps a sum for each row instead, and two numbers for its dropout; bytes, fp32, no dropout."""
    batch, heads, length, layers = 4, 4, 32, 3
    names = "model=miniature/roberta", "method=full", f"training.batch_size={batch}", f"training.max_length={length}"
    cells = {kind: compose(*names, f"model.attention={kind}") for kind in ("sdpa", "eager")}
    assert compose(*names) == cells["sdpa"], "the default"
    kept = {kind: predict(cell, "cuda").parts.activations for kind, cell in cells.items()}
    rows = 4 * batch * heads * length
    assert kept["eager"] - kept["sdpa"] == layers * (rows * length - rows - 2 * CUDA_BLOCK)


def test_the_command_line_goes_before_an_experiment_s_grid():
    with Configurations() as configurations:
        given = ["experiment=survey/memory", "model=roberta_base", "method=full"]
        (own,) = selected(given, configurations.compose)
        (other,) = selected([*given, "model.attention=sdpa"], configurations.compose)
        first, second = configurations.cell(own), configurations.cell(other)
    assert (first.base.attention, second.base.attention) == ("eager", "sdpa")
    assert first.id != second.id


def test_a_word_in_the_architecture_that_is_none_of_it_is_refused(compose):
    cell = compose("model=roberta_base", "+model.architecture.attn_implementation=eager")
    with pytest.raises(UserError, match=r"model\.attention"):
        predict(cell, "cuda")
