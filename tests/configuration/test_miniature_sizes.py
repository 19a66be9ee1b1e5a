"""The miniature's methods weigh on its narrow bases what the survey's weigh on theirs."""

import functools

import pytest

from bench.configuration.compose import Configurations, build
from bench.metering.parameters import plan_parameters
from bench.methods.base import Method
from bench.models.head import Head

HIDDEN = 128
FAMILIES = {"roberta": "encoder", "t5": "encoder_decoder", "llama": "decoder"}
SURVEY = {"roberta": ("roberta_base", 768), "t5": ("t5_base", 768), "llama": ("llama_7b", 4096)}
OF_A_RANK = ("lora_fa", "dora", "pissa", "rslora", "miss", "shira", "delora", "hira", "loha", "olora", "peanut")
# The setting that a method's size is. Sizes that were chosen for one base, whatever the family, are taken by its width.
SIZES = {
    "adapter_s": ("bottleneck", None), "adapter_parallel": ("bottleneck", 768), "lora": ("r", None),
    **dict.fromkeys(OF_A_RANK, ("r", None)), "c3a": ("pieces", None), "qlora": ("r", 4096),
    "adalora": ("target_r", 768),
    "prefix_tuning": ("num_virtual_tokens", 768), "propelt_lora": ("r", 768), "propelt_prefix": ("length", 768),
    "mam": ("parts.prefix.length", 768),
}  # fmt: skip
# Twice as many would be more than 2 % of bases that have so few layers.
HALVED = {("llama", "lora"), ("llama", "qlora"), ("t5", "qlora")}
# Shares of the base, the task head apart: adapters a few percent, LoRA and the like below 2, vectors below 0.5.
AT_MOST = {
    **dict.fromkeys(("adapter_s", "mam", "propelt_prefix"), 0.09),
    **dict.fromkeys(("lora", "adalora", "qlora", "propelt_lora", "propelt_adapter", "prefix_tuning"), 0.02),
    **dict.fromkeys(("prompt_tuning", "ia3", "waveft", "unilora"), 0.005),
    **dict.fromkeys(("gralora", "delora", "hira", "loha", "olora", "peanut", "c3a", "super_tuning"), 0.02),
    **dict.fromkeys(("bitfit", "road"), 0.01),
}


@pytest.fixture(scope="module")
def configurations():
    with Configurations() as configurations:
        yield configurations


def size(configurations, model, method, key, family):
    settings = configurations.cell([f"model={model}", f"method={method}"]).config["method"]
    value = functools.reduce(lambda tree, name: tree[name], key.split("."), settings)
    return value[family] if isinstance(value, dict) else value


@pytest.mark.parametrize("method", SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_are_those_of_the_survey_s_bases_in_proportion(configurations, family, method):
    survey, width = SURVEY[family]
    key, of = SIZES[method]
    theirs = size(configurations, survey, method, key, FAMILIES[family])
    ours = size(configurations, f"miniature/{family}", method, key, FAMILIES[family])
    expected = max(1, round(theirs * HIDDEN / (of or width)))
    assert ours == (expected // 2 if (family, method) in HALVED else expected)


@pytest.mark.parametrize("method", AT_MOST)
@pytest.mark.parametrize("family", FAMILIES)
def test_no_method_weighs_more_than_its_kind_does(configurations, family, method):
    cell = configurations.cell([f"model=miniature/{family}", f"method={method}"])
    head = Head(2) if family == "roberta" else None
    found = plan_parameters(cell.base, build(cell.config["method"], Method), head, 1000, 128)
    assert 0 < found.trainable - found.head <= AT_MOST[method] * found.base_total
