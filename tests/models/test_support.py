"""The support matrix: what each method does on each kind of model, or why it does not."""

import re
from dataclasses import replace

import pytest
from bitsandbytes.nn import Linear4bit

from bench.configuration.schema import Family, ModelConfig, Quantisation
from bench.errors import UnsupportedError
from bench.models.entries import ENTRIES
from bench.models.families import structure_of
from bench.models.head import Head
from bench.models.load import load_architecture, load_model
from bench.models.quantisation import WORDS, check_packable, packable
from scripts.document_models import BEGIN, COMMAND, END, PAGE, matrix, methods
from scripts.model_kinds import KINDS, WITHOUT_FUSED, kind_model
from scripts.support import why_not

PAIRS = [(family, kind) for family, kinds in KINDS.items() for kind in kinds]
IDS = [kind for _, kind in PAIRS]
EVERYWHERE = ("full", "bitfit", "prompt_tuning")


def row_of(kind):
    """Of the page: what stands under each method's name."""
    section = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    (row,) = re.findall(rf"^\| {re.escape(kind)} \|.*$", section, flags=re.MULTILINE)
    return dict(zip(methods(), [cell.strip() for cell in row.split("|")[3:-1]], strict=True))


@pytest.mark.parametrize(("index", "pair"), list(enumerate(PAIRS)), ids=IDS)
def test_one_method_of_each_kind_in_turn_is_as_the_page_says(index, pair):
    family, kind = pair
    name = methods()[index % len(methods())]
    reason = why_not(name, family, kind)
    assert (reason is None) == (row_of(kind)[name] == "✓"), f"{reason}; run {COMMAND}"


@pytest.mark.slow
def test_the_whole_page_is_current():
    assert matrix().strip() == PAGE.read_text().split(BEGIN)[1].split(END)[0].strip(), f"run {COMMAND}"


@pytest.mark.parametrize(("family", "kind"), PAIRS, ids=IDS)
def test_what_needs_no_place_inside_runs_on_every_kind(family, kind):
    row = row_of(kind)
    assert [name for name in EVERYWHERE if row[name] != "✓"] == []


def test_every_type_of_every_entry_is_tried():
    tried = {kind for kinds in KINDS.values() for kind in kinds}
    assert {kind for entry in ENTRIES for kind in entry.types} - tried == {"mobilebert", "olmo3", "exaone4"}


@pytest.mark.parametrize(("family", "kind"), PAIRS, ids=IDS)
def test_all_linear_layers_of_the_blocks_are_known(family, kind):
    """But those of experts, and those that no attention and no feed-forward have: of relative positions."""
    model = kind_model(family, kind)
    structure = structure_of(model, family)
    if structure.missing is not None:
        assert kind == "mamba"
        return
    inside = {
        path
        for path, module in model.named_modules()
        if type(module).__name__ in ("Linear", "Conv1D", "FalconLinear")
        and any(path.startswith(f"{block.path}.") for block in structure.blocks)
    }
    assert set(structure.linears) <= inside
    others = {path.rpartition(".")[2] for path in inside - set(structure.linears)}
    assert others <= {"gate"}, others


UNPACKABLE = ("gpt2", "mixtral", "qwen3_moe", "mamba")  # see bench.models.quantisation.check_packable
# Those with linear layers beside the blocks', or with layers that are kept; the rest is left to `make test-models`.
PECULIAR = ("roberta", "distilbert", "electra", "albert", "deberta-v2", "modernbert", "t5", "bart", "llama", "falcon")
PACKABLE = [
    pytest.param(*pair, marks=[] if pair[1] in PECULIAR else pytest.mark.slow, id=pair[1])
    for pair in PAIRS
    if pair[1] not in UNPACKABLE
]


@pytest.mark.parametrize(("family", "kind"), PACKABLE)
def test_four_bit_layers_are_the_blocks_and_no_other_when_they_are_read_and_when_they_are_drawn(family, kind, tmp_path):
    kind_model(family, kind).save_pretrained(tmp_path)
    eager = {"attention": "eager"} if kind in (*WITHOUT_FUSED, "gemma2", "bloom") else {}
    config = ModelConfig(name=kind, title=kind, family=family, path=str(tmp_path), **eager)
    architecture = load_architecture(config, Head(2) if family == Family.encoder else None)
    if kind == "falcon":
        with pytest.raises(UnsupportedError, match="is a FalconLinear"):
            load_model(config, architecture, Quantisation.nf4)
        return
    for weights in ("pretrained", "random"):
        model = load_model(replace(config, weights=weights), architecture, Quantisation.nf4)
        packed = {path for path, module in model.named_modules() if isinstance(module, Linear4bit)}
        assert packed == set(packable(model, structure_of(model, family).linears))


@pytest.mark.parametrize(("quantisation", "words"), WORDS.items())
@pytest.mark.parametrize("kind", ["gpt2", "mixtral"])
def test_models_that_would_be_packed_in_part_only_are_refused(kind, quantisation, words):
    with pytest.raises(UnsupportedError, match=f"{words} layers are not offered"):
        check_packable(structure_of(kind_model(Family.decoder, kind), Family.decoder), quantisation)


def test_an_entry_that_fits_no_more_is_refused_with_what_is_missing():
    """GPT-2's type with another module in place of its feed-forward's output."""
    model = kind_model(Family.decoder, "gpt2")
    del model.transformer.h[1].mlp.c_proj
    assert "gpt2: no transformer.h.1.mlp.c_proj" in structure_of(model, Family.decoder).missing
