"""Models that have a name: their sizes are the published ones, and what is inside is known."""

import pytest

from bench.configuration.compose import Configurations
from bench.models.families import structure_of
from bench.models.head import Head
from bench.models.load import build_empty, load_architecture

# Parameters as their hub pages and papers count them: of an encoder without any head, of others with the language
# model's; tied weights once. Gemma-3-4B's 4,300,079,472 have an image encoder of 416,866,032 and its projection of
# 2,950,272, which are none of the text part's. XLM-R's 278,043,648 have a pooler of 590,592 that no task's class has.
PUBLISHED = {
    "bert_base": 109_482_240, "minilm_l6": 22_713_216, "xlm_roberta_base": 277_453_056, "deberta_v3_base": 183_831_552,
    "deberta_v3_large": 434_012_160, "modernbert_base": 149_014_272, "modernbert_large": 394_781_696,
    "gpt2": 124_439_808, "pythia_160m": 162_322_944, "pythia_410m": 405_334_016, "pythia_1.4b": 1_414_647_808,
    "opt_125m": 125_239_296, "smollm2_135m": 134_515_008, "smollm2_360m": 361_821_120, "smollm2_1.7b": 1_711_376_384,
    "qwen3_0.6b": 596_049_920, "qwen3_1.7b": 1_720_574_976, "qwen3_4b": 4_022_468_096, "qwen3_8b": 8_190_735_360,
    "llama_3_2_1b": 1_235_814_400, "llama_3_2_3b": 3_212_749_824, "llama_3_1_8b": 8_030_261_248,
    "mistral_7b": 7_241_732_096, "gemma_3_1b": 999_885_952, "gemma_3_4b": 3_880_263_168,
    "phi_3_mini": 3_821_079_552, "flan_t5_base": 247_577_856, "flan_t5_large": 783_150_080,
    "flan_t5_xl": 2_849_757_184, "bart_base": 139_420_416, "bart_large": 406_291_456,
    "mbart_large_50": 610_879_488, "mt5_base": 582_401_280, "roberta_wwm_ext": 102_267_648,
}  # fmt: skip
# FLAN-T5's and mT5's language-model head is none of its embedding's; transformers 5 makes it the same all the same.
TIED_BY_THE_LIBRARY = ("flan_t5_base", "flan_t5_large", "flan_t5_xl", "mt5_base")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_is_as_large_as_is_published_and_known_inside(name):
    with Configurations() as configurations:
        base = configurations.cell([f"model={name}", "model.weights=random"]).base
    architecture = load_architecture(base, Head(2) if base.family == "encoder" else None)
    model = build_empty(base, architecture)
    counted = sum(p.numel() for p in (model.base_model if base.family == "encoder" else model).parameters())
    apart = architecture.vocab_size * architecture.d_model if name in TIED_BY_THE_LIBRARY else 0
    assert counted + apart == PUBLISHED[name]
    assert structure_of(model, base.family).missing is None


def test_every_preset_is_counted_here_or_in_the_survey():
    with Configurations() as configurations:
        names = {name for name in configurations.options("model") if "/" not in name}
    survey = {"roberta_base", "roberta_large", "t5_base", "t5_large", "llama_7b", "llama_13b"}
    assert names - survey - {"encoder", "encoder_decoder", "decoder"} == set(PUBLISHED)
