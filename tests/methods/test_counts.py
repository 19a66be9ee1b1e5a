"""Counts on the meta device: the figures of the survey and of the authors' code, to the last digit, and formulas."""

import time

import pytest

from bench.configuration.compose import Configurations, build
from bench.configuration.schema import ModelConfig
from bench.metering.parameters import plan_parameters
from bench.methods.base import Method
from bench.models.head import Head
from tests.tiny import settings_of

HEAD = {"roberta_base": 592_130, "roberta_large": 1_051_650}
TOTALS = {
    "roberta_base": 124_647_170, "roberta_large": 355_361_794, "t5_base": 222_903_552, "t5_large": 737_668_096,
    "llama_7b": 6_738_415_616, "llama_13b": 13_015_864_320,
}  # fmt: skip
# Model, method, and what is trained besides the head.
PUBLISHED = [
    ("roberta_base", "adapter_s", 7_414_464), ("roberta_large", "adapter_s", 19_768_704),
    ("roberta_base", "bitfit", 102_144), ("roberta_large", "bitfit", 271_360),
    ("roberta_base", "lora", 294_912), ("roberta_large", "lora", 786_432),
    ("roberta_base", "adalora", 442_656),
    ("roberta_base", "ia3", 64_512), ("roberta_large", "ia3", 172_032),
    ("roberta_base", "prompt_tuning", 15_360), ("roberta_large", "prompt_tuning", 20_480),
    ("roberta_base", "prefix_tuning", 368_640), ("roberta_large", "prefix_tuning", 983_040),
    ("roberta_base", "mam", 15_695_840),
    ("roberta_base", "propelt_adapter", 1_870_914 - 592_130),
    ("roberta_base", "propelt_lora", 1_870_082 - 592_130),
    ("roberta_base", "propelt_prefix", 3_002_626 - 592_130),
    ("t5_base", "lora", 884_736), ("t5_large", "lora", 2_359_296),
    # 20 tokens, keys and values, of the 36 (72) attentions of encoder, decoder and between them.
    ("t5_base", "prefix_tuning", 20 * 2 * 36 * 768), ("t5_large", "prefix_tuning", 20 * 2 * 72 * 1024),
    ("t5_base", "ia3", 73_728), ("t5_large", "ia3", 196_608),
    ("llama_7b", "ia3", 1_581_056), ("llama_7b", "lora", 159_907_840), ("llama_7b", "qlora", 159_907_840),
]  # fmt: skip
# The survey's grid: its methods on each family.
ON_ROBERTA = [
    "full", "adapter_s", "prompt_tuning", "prefix_tuning", "ia3", "bitfit", "child_tuning_d", "lora", "adalora", "mam",
    "propelt_adapter", "propelt_prefix", "propelt_lora",
]  # fmt: skip
GRID = {"roberta": ON_ROBERTA, "t5": ["full", "ia3", "lora"], "llama": ["full", "ia3", "lora", "qlora"]}


def counts(configurations, model, method, *overrides):
    cell = configurations.cell([f"model={model}", f"method={method}", *overrides])
    head = Head(2) if cell.base.family == "encoder" else None
    return plan_parameters(cell.base, build(cell.config["method"], Method), head, 1000, 128)


@pytest.fixture(scope="module")
def configurations():
    with Configurations() as configurations:
        yield configurations


@pytest.mark.parametrize(("model", "method", "expected"), PUBLISHED)
def test_published_counts(configurations, model, method, expected):
    found = counts(configurations, model, method)
    assert found.trainable - found.head == expected
    assert found.head == HEAD.get(model, 0)
    assert found.base_total == TOTALS[model]


@pytest.mark.parametrize("model", TOTALS)
def test_full_fine_tuning_trains_all(configurations, model):
    found = counts(configurations, model, "full")
    assert found.trainable == found.stored == found.base_total == TOTALS[model]


def test_prefix_tuning_of_t5_counts_a_prefix_of_its_own_for_every_attention(configurations):
    assert counts(configurations, "t5_base", "prefix_tuning").trainable == 1_105_920
    assert counts(configurations, "t5_large", "prefix_tuning").trainable == 2_949_120
    # What the peft library means, the decoder's self-attention alone, is as many as on an encoder of that size.
    alone = "method.attentions.encoder_decoder=[decoder]"
    assert counts(configurations, "t5_base", "prefix_tuning", alone).trainable == 368_640


def test_mam_is_stored_folded(configurations):
    found = counts(configurations, "roberta_base", "mam")
    assert found.stored - found.head == 599_232
    assert found.training_only == 15_391_520
    # Three networks and two adapters a layer pair: what the authors' script prints for an encoder-decoder's shape.
    assert counts(configurations, "t5_base", "mam").trainable == 46_783_200


def test_propelt_stores_the_prototype_and_bits(configurations):
    bits = 12 * 2 * 768 * 64 / 32
    adapter = counts(configurations, "roberta_base", "propelt_adapter")
    assert adapter.stored - adapter.head == 2 * 768 * 64 + 64 + 768 + bits
    lora = counts(configurations, "roberta_base", "propelt_lora")
    assert lora.stored - lora.head == 4 * 768 * 32 + bits
    prefix = counts(configurations, "roberta_base", "propelt_prefix")
    assert prefix.stored - prefix.head == 64 * 2 * 768 + bits


@pytest.mark.parametrize(("model", "candidates"), [("roberta_base", 85_054_464), ("roberta_large", 302_309_376)])
def test_child_tuning_d_counts_the_child_the_embeddings_and_the_head(configurations, model, candidates):
    found = counts(configurations, model, "child_tuning_d")
    assert found.trainable == TOTALS[model] - candidates + round(0.3 * candidates)


def test_the_librarys_defaults_for_comparison(configurations):
    assert (
        counts(configurations, "t5_base", "ia3", "method.input_sites.encoder_decoder=[feed_forward_output]").trainable
        == 129_024
    )
    sites = "method.sites.decoder=[key,value,feed_forward_output]"
    assert counts(configurations, "llama_7b", "ia3", sites).trainable == 614_400
    everything = "[query,key,value,output,feed_forward_input,feed_forward_output]"
    assert counts(configurations, "roberta_base", "adalora", f"method.sites.encoder={everything}").method == 1_991_520


def test_the_surveys_grid_is_counted_within_a_minute(configurations):
    start = time.process_time()  # not the clock: other tests share the machine
    for family, methods in GRID.items():
        for model in (model for model in TOTALS if model.startswith(family)):
            for method in methods:
                counts(configurations, model, method)
    assert time.process_time() - start < 60


@pytest.mark.parametrize(("hidden", "layers", "inner"), [(64, 3, 96), (48, 2, 200)])
def test_closed_forms_at_other_sizes(hidden, layers, inner):
    d, n, f = hidden, layers, inner
    architecture = {
        "model_type": "roberta", "vocab_size": 99, "hidden_size": d, "num_hidden_layers": n, "num_attention_heads": 4,
        "intermediate_size": f, "max_position_embeddings": 66, "type_vocab_size": 1,
    }  # fmt: skip
    base = ModelConfig(name="tiny", title="tiny", family="encoder", architecture=architecture)
    m = r = length = 4
    low, scores = d // 12, d * (d // 12)
    expected = {
        "adapter_s": n * (2 * (2 * d * 8 + 8 + d) + 2 * d),
        "adapter_pfeiffer": n * (2 * d * 8 + 8 + d),
        "adapter_parallel": n * (2 * d * 8 + 8 + d),
        "bitfit": d + n * (3 * d + 2 * d + f + 2 * d + d) - n * d,
        "lora": n * 2 * 2 * d * r,
        "adalora": n * 2 * (2 * d * 4 + 4),
        "ia3": n * (3 * d + f),
        "prompt_tuning": length * d,
        "prefix_tuning": n * 2 * length * d,
        "mam": length * d + d * 16 + 16 + 16 * 2 * n * d + 2 * n * d + n * (2 * d * 8 + 8 + d),
        "propelt_adapter": 2 * scores + low + d + n * 2 * scores,
        "propelt_lora": 4 * d * m + n * 4 * d * m,
        "propelt_prefix": length * d + d * 16 + 16 + 16 * 2 * d + 2 * d + n * length * 2 * d,
    }
    for name, count in expected.items():
        found = plan_parameters(base, build(settings_of(name), Method), Head(2), 20, 9)
        assert found.trainable - found.head == count, name
        assert found.head == d * d + d + 2 * d + 2
