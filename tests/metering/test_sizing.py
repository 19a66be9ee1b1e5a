"""Equal sizes: what `method.budget` makes of a method."""

import json

import pytest

from bench.configuration.compose import build
from bench.errors import UnsupportedError, UserError
from bench.metering.phases import PhaseMeter
from bench.methods.base import Method
from bench.methods.budget import Budget
from bench.planning.predict import predict
from bench.running.preparation import prepare
from bench.running.runner import run_cell
from bench.tasks.build import task_of
from tests.cells import MODELS
from tests.planning.real_step import CPU

TASKS = {"encoder": "miniature/cola", "encoder_decoder": "miniature/wmt16", "decoder": "miniature/mmlu"}
SYNTHETIC = ("data.synthetic=true", "data.limit_train=64", "training.max_steps=20", "device=cpu")


@pytest.fixture
def size(compose):
    """What a method with a budget becomes on a tiny model, as a record says it, and the method itself."""

    def of(method, budget, family="encoder", *more):
        cell = compose(
            f"model={MODELS[family]}", f"task={TASKS[family]}", f"method={method}", f"method.budget={budget}",
            *SYNTHETIC, *more,
        )  # fmt: skip
        made = build(cell.config["method"], Method)
        prepared = prepare(cell, task_of(cell), made, PhaseMeter(CPU), CPU)
        return prepared.sized.told(), prepared.resized(made)

    return of


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("0.5%", 5_000), ("0.5 %", 5_000), ("300k", 300_000), ("1.5M", 1_500_000), (250_000, 250_000), ("3e5", 300_000),
        ("stored:1MB", 250_000), ("stored:20kB", 5_000),
    ],
)  # fmt: skip
def test_a_budget_is_a_share_a_count_or_a_size_on_disk(given, values):
    assert Budget.of(given).values(base_total=1_000_000) == values


@pytest.mark.parametrize("given", ["", "0", "0%", "-1%", "five", "300 kilo", "stored:1M", "1MB", "1%%", True, "nan"])
def test_what_is_none_is_refused_in_one_line(given):
    with pytest.raises(UserError, match=r"is no budget; say 0\.5%"):
        Budget.of(given)


def test_the_rank_is_the_nearest_to_the_budget(size):
    one, _ = size("lora", "1%")
    per_rank = one["reached"] / one["sizes"]["r"]
    for rank in (3, 7):
        told, method = size("lora", int(per_rank * (rank + 0.2)))
        assert told["sizes"] == {"r": rank}
        assert method.r == rank
        assert told["reached"] == rank * per_rank


SIZES = {
    "adapter_s": ["bottleneck"], "adapter_pfeiffer": ["bottleneck"], "adapter_parallel": ["bottleneck"],
    "prompt_tuning": ["num_virtual_tokens"], "prefix_tuning": ["num_virtual_tokens"], "lora": ["r"], "qlora": ["r"],
    "adalora": ["init_r", "target_r"], "mam": ["adapter_parallel.bottleneck", "prefix.length"],
    "propelt_adapter": ["reduction"], "propelt_prefix": ["length"], "propelt_lora": ["r"], "compose": ["lora.r"],
}  # fmt: skip
# What each can be within a tenth of on the tiny encoder.
BUDGETS = {
    "adapter_pfeiffer": "3400",
    "adapter_parallel": "3400",
    "prompt_tuning": "1500",
    "propelt_adapter": "5k",
    "qlora": "40k",
    "mam": "6k",
    "compose": "6k",
}


@pytest.mark.parametrize("method", SIZES)
def test_every_method_that_has_a_size_comes_within_a_tenth(size, method):
    told, _ = size(method, BUDGETS.get(method, "3k"))
    assert list(told["sizes"]) == SIZES[method]
    assert told["reached"] == pytest.approx(told["asked"], rel=0.1)


def test_parts_of_a_mixture_keep_their_proportions(size):
    told, method = size("mam", "6k")
    own = {"adapter_parallel.bottleneck": 16, "prefix.length": 16}
    shares = {told["sizes"][name] / value for name, value in own.items()}
    assert len(shares) == 1
    assert {part.name for part in method.methods} == {"adapter_parallel", "prefix"}


@pytest.mark.parametrize("method", ["full", "bitfit", "ia3", "child_tuning_f"])
def test_a_method_without_a_size_is_not_offered(size, method):
    with pytest.raises(UnsupportedError, match="has no size that a budget could choose"):
        size(method, "1%")


@pytest.mark.parametrize(
    ("method", "budget", "reason"),
    [
        ("lora", "3", r"the nearest that LoRA can be here is [\d,]+ \(r=1\), its head left out: more than 10% away"),
        ("lora", "50M", r"is [\d,]+ \(r=\d+\), its head"),
        ("propelt_adapter", "26k", r"\(reduction=\d+\) and [\d,]+ \(reduction=\d+\)"),
        ("child_tuning_d", "100", r"\(keep=1e-06\)"),
    ],
)
def test_one_that_cannot_come_near_says_what_it_can_be(size, method, budget, reason):
    with pytest.raises(UnsupportedError, match=reason):
        size(method, budget)


def test_the_plan_and_the_record_have_the_counts_of_the_budget(compose):
    cell = compose(
        f"model={MODELS['encoder']}", "task=miniature/cola", "method=lora", "method.budget=2%", *SYNTHETIC,
        "training.max_steps=2",
    )  # fmt: skip
    foretold = predict(cell, "cpu").parameters
    record, path = run_cell(cell)
    assert vars(record.parameters) == vars(foretold)
    assert foretold.stored - foretold.head == pytest.approx(0.02 * foretold.base_total, rel=0.1)
    assert json.loads(path.read_text())["environment"]["size"] == {
        "budget": "2%", "asked": 0.02 * foretold.base_total, "reached": foretold.stored - foretold.head,
        "sizes": record.environment["size"]["sizes"],
    }  # fmt: skip


def test_without_a_budget_a_record_says_nothing_of_sizes_and_no_id_changes(compose):
    plain = compose(f"model={MODELS['encoder']}", "task=miniature/cola", "method=lora", *SYNTHETIC)
    assert "budget" not in plain.config["method"]
    assert run_cell(plain)[0].environment["size"] is None


ADAPTER = "+method@method.parts.adapter=adapter_s"
HALVES = "method.shares={lora: 0.5, adapter: 0.5}"


@pytest.mark.parametrize("family", MODELS)
def test_parts_have_their_shares_of_what_a_part_without_a_size_leaves(size, family):
    budget = {"encoder": "20k", "encoder_decoder": "100k", "decoder": "40k"}[family]
    told, method = size("compose", budget, family, ADAPTER, "method.shares={lora: 0.7, adapter: 0.3}")
    parts, rest = told["parts"], told["parts"]["without a size"]["reached"]  # BitFit's
    assert told["reached"] == pytest.approx(told["asked"], rel=0.1)
    assert parts["lora"]["asked"] == pytest.approx(0.7 * (told["asked"] - rest))
    assert parts["adapter"]["asked"] == pytest.approx(0.3 * (told["asked"] - rest))
    assert sum(part["reached"] for part in parts.values()) == told["reached"]
    for name in ("lora", "adapter"):
        assert parts[name]["reached"] == pytest.approx(parts[name]["asked"], abs=0.1 * told["asked"])
    assert told["sizes"] == {
        "lora.r": method.named["lora"].r,
        "adapter_s.bottleneck": method.named["adapter"].bottleneck,
    }


def test_the_plan_and_the_record_have_the_counts_of_the_shares(compose):
    cell = compose(
        f"model={MODELS['encoder']}", "task=miniature/cola", "method=compose", ADAPTER, "method.parts.bitfit=null",
        "method.budget=2%", HALVES, *SYNTHETIC, "training.max_steps=2",
    )  # fmt: skip
    foretold = predict(cell, "cpu").parameters
    record, _ = run_cell(cell)
    assert vars(record.parameters) == vars(foretold)
    told = record.environment["size"]
    assert foretold.stored - foretold.head == told["reached"] == pytest.approx(told["asked"], rel=0.1)
    assert set(told["parts"]) == {"lora", "adapter"}


@pytest.mark.parametrize(
    ("budget", "shares", "words"),
    [
        ("20k", "{lora: 0.5, adaptor: 0.5}", "unknown part in method.shares 'adaptor'; did you mean adapter"),
        ("20k", "{lora: 0.5, adapter: 0.6}", "method.shares are 1.1 together and must be 1"),
        ("20k", "{lora: 1.5, adapter: -0.5}", "method.shares.lora=1.5 must be above 0 and at most 1"),
        ("20k", "{lora: 1.0}", "method.shares says nothing of 'adapter'"),
        ("20k", "{lora: 0.4, adapter: 0.4, bitfit: 0.2}", "names 'bitfit', but BitFit has no size"),
        ("null", "{lora: 0.5, adapter: 0.5}", "share out a budget; say method.budget="),
        ("200", "{lora: 0.5, adapter: 0.5}", r"is 200 values, and the parts of .* without a size take [\d,]+"),
        ("5k", "{lora: 0.01, adapter: 0.99}", r"'lora' has [\d,]+; the nearest that it can be here is [\d,]+ \(r=1\)"),
    ],
)  # fmt: skip
def test_shares_that_do_not_fit_are_refused_in_one_line(size, budget, shares, words):
    with pytest.raises(UserError, match=words) as caught:
        size("compose", budget, "encoder", ADAPTER, f"method.shares={shares}")
    assert "\n" not in str(caught.value)


def test_a_part_has_no_budget_of_its_own(size):
    with pytest.raises(UserError, match=r"its part 'lora' has a budget of its own; share one: method.shares"):
        size("compose", "20k", "encoder", "method.parts.lora.budget=1k")
