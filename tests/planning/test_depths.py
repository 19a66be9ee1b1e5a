"""Blocks that are alike, followed once: what follows from shallow models is what the deep one shows."""

from itertools import product

import pytest

from bench.planning import predict as planning
from bench.planning.asked import Trace
from bench.planning.depths import Whole, largest_moment
from bench.planning.line import Traced
from bench.planning.places import Place, Region
from bench.planning.predict import predict
from tests.planning.test_prediction import METHODS, TASKS, always

DEPTH = 10
SMALL = {
    "encoder": ("roberta_base", {"num_hidden_layers": DEPTH, "hidden_size": 64, "intermediate_size": 128}),
    "encoder_decoder": ("t5_base", {"num_layers": DEPTH, "d_model": 64, "d_kv": 8, "d_ff": 128}),
    "decoder": ("llama_7b", {"num_hidden_layers": DEPTH, "hidden_size": 64, "intermediate_size": 128}),
}
SIZES = {
    "encoder": {"num_attention_heads": 4, "vocab_size": 500}, "encoder_decoder": {"num_heads": 8, "vocab_size": 500},
    "decoder": {"num_attention_heads": 4, "vocab_size": 500},
}  # fmt: skip
USUAL = [("encoder", "full"), ("encoder", "mam"), ("encoder_decoder", "lora"), ("decoder", "qlora")]


def deep_cell(compose, family, method, *more, task=None, **changes):
    model, shape = SMALL[family]
    sizes = [f"++model.architecture.{key}={value}" for key, value in (shape | SIZES[family] | changes).items()]
    names = [f"model={model}", f"task={task or TASKS[family]}", f"method={method}"]
    if method == "adapter_s":  # whose own bottleneck is wider than this model
        names.append("method.bottleneck=16")
    return compose(*names, *sizes, "model.weights=random", "training.batch_size=4", "training.max_length=32", *more)


@pytest.fixture
def followed(monkeypatch):
    """The depths of the models that are adapted; None: the whole one."""
    depths, adapted = [], planning.adapt_cell

    def adapting(cell, device, depth=None, size=None):
        depths.append(None if depth is None else tuple(depth.values()))
        return adapted(cell, device, depth, size)

    monkeypatch.setattr(planning, "adapt_cell", adapting)
    return depths


def check_equal(cell, device="cuda"):
    short, full = (predict(cell, device, trace) for trace in (Trace.blocks, Trace.full))
    assert short.parameters == full.parameters
    assert short.flops == full.flops
    assert short.peak == pytest.approx(full.peak, rel=0.005)
    for part, size in vars(full.parts).items():
        assert vars(short.parts)[part] == pytest.approx(size, abs=0.005 * full.peak), part


@pytest.mark.parametrize(("family", "method"), always(USUAL, list(product(SMALL, METHODS))))
def test_what_follows_from_few_blocks_is_what_all_of_them_show(compose, followed, family, method):
    check_equal(deep_cell(compose, family, method))
    assert len(followed) > 2, "not from few blocks"


SHARED = ("+method@method.parts.adapter=adapter_s", "method.shares={lora: 0.5, adapter: 0.5}")


@pytest.mark.parametrize(
    ("percent", "settings"), [(1.3, ("lora",)), pytest.param(5, ("compose", *SHARED), marks=pytest.mark.slow)]
)
def test_a_budget_is_spent_on_all_blocks_also_where_few_are_followed(compose, followed, percent, settings):
    cell = deep_cell(compose, "encoder", *settings, f"method.budget={percent}%")
    check_equal(cell)
    assert len(followed) > 2, "not from few blocks"
    counts = predict(cell, "cuda").parameters
    assert counts.stored - counts.head == pytest.approx(percent / 100 * counts.base_total, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("training.gradient_checkpointing=true",),
        ("training.precision=bf16",),
        ("training.micro_batch_size=2",),
        ("model.attention=eager",),
        ("training.batch_size=1", "training.max_length=4"),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("case", list(product(SMALL, ["full", "lora"])))
def test_it_is_with_other_settings_too(compose, followed, case, device, settings):
    check_equal(deep_cell(compose, *case, *settings), device)
    assert len(followed) > 2, "not from few blocks"


@pytest.mark.slow
def test_stacks_of_different_depths_grow_one_by_one(compose, followed):
    check_equal(deep_cell(compose, "encoder_decoder", "lora", num_layers=12, num_decoder_layers=6))
    assert {(2, 2), (3, 2), (2, 3), (1, 1)} <= set(followed)


def test_a_model_whose_blocks_are_not_alike_is_followed_as_a_whole(compose, followed):
    sizes = {"num_hidden_layers": 9, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4}
    changes = [f"++model.architecture.{key}={value}" for key, value in (sizes | {"vocab_size": 50_368}).items()]
    names = "model=modernbert_base", "task=miniature/cola", "method=full", "model.weights=random"
    check_equal(compose(*names, *changes, "training.batch_size=2", "training.max_length=16"))
    assert set(followed) == {None}


def whole_and_trace(grows, blocks=lambda depth: ("block",) * depth, *, depth=20, stacks=1, width=lambda _: 1):
    """A made-up model: `grows` says from its depths what lives in each place; traces are counted."""
    made = []

    def trace(depths):
        made.append(depths)
        places = {place: sizes if isinstance(sizes, list) else [sizes] for place, sizes in grows(*depths).items()}
        held, described = {"frozen_weights": 7 + sum(depths)}, tuple(map(blocks, depths))
        shapes = {"network": (width(sum(depths)),)}
        return Traced(held, shapes, places, lambda place, at: {"rest": places[place][at]}, 3 * sum(depths), described)

    depths = (depth,) * stacks if isinstance(depth, int) else depth
    return Whole({"frozen_weights": 7 + sum(depths)}, tuple(map(blocks, depths))), trace, made


HEAD, UPDATE = Place(1, "backward", Region(0, None)), Place(1, "update", None)


def test_the_peak_may_lie_elsewhere_in_a_deep_model():
    whole, trace, made = whole_and_trace(lambda depth: {HEAD: 1000 + 10 * depth, UPDATE: 100 + 100 * depth})
    assert largest_moment(whole, trace) == ({"rest": 2100}, 60)
    assert sorted(made) == [(1,), (2,), (3,)]


def test_it_may_lie_at_another_operation_of_the_same_place():
    whole, trace, _ = whole_and_trace(lambda depth: {HEAD: [1000, 100 * depth]})
    assert largest_moment(whole, trace) == ({"rest": 2000}, 60)


def test_where_operations_are_more_with_more_blocks_their_largest_counts():
    whole, trace, _ = whole_and_trace(lambda depth: {UPDATE: [100 * (step + 1) for step in range(depth)]})
    assert largest_moment(whole, trace) == ({"rest": 2000}, 60)


def test_a_block_in_the_middle_may_have_the_peak():
    def grows(depth):
        inner = {Region(0, number): 50 if 0 < number < depth - 1 else 0 for number in range(depth)}
        return {Place(1, "forward", region): 100 * depth + more for region, more in inner.items()}

    whole, trace, _ = whole_and_trace(grows)
    assert largest_moment(whole, trace) == ({"rest": 2050}, 60)


def test_what_is_as_wide_as_the_model_is_deep_is_looked_at_in_a_block_between_others():
    def grows(depth):
        inner = {Region(0, number): 50 * depth if 0 < number < depth - 1 else 0 for number in range(depth)}
        return {Place(1, "forward", region): 100 * depth + more for region, more in inner.items()}

    whole, trace, _ = whole_and_trace(grows, width=lambda depth: depth)
    assert largest_moment(whole, trace) == ({"rest": 3000}, 60)


def test_where_depths_are_on_no_line_nothing_is_foretold():
    whole, trace, made = whole_and_trace(lambda depth: {UPDATE: 1000 + depth**2})
    assert largest_moment(whole, trace) is None
    assert sorted(made) == [(1,), (2,), (3,), (4,)], "and deeper ones are tried"


def test_what_bends_far_below_the_peak_does_no_harm():
    whole, trace, _ = whole_and_trace(lambda depth: {HEAD: 10**6 * depth, UPDATE: depth**2})
    assert largest_moment(whole, trace) == ({"rest": 20 * 10**6}, 60)


def test_a_first_model_that_is_too_shallow_is_passed_over():
    whole, trace, _ = whole_and_trace(lambda depth: {UPDATE: 5000 if depth == 1 else 100 * depth})
    assert largest_moment(whole, trace) == ({"rest": 2000}, 60)


@pytest.mark.parametrize("odd", [5, 1])
def test_one_block_that_is_another_is_enough_for_a_whole_trace(odd):
    def blocks(depth):
        return tuple("other" if number == odd else "block" for number in range(depth))

    whole, trace, made = whole_and_trace(lambda depth: {UPDATE: depth}, blocks)
    assert largest_moment(whole, trace) is None
    assert made == []


def test_the_first_and_the_last_block_may_be_others():
    def blocks(depth):
        return ("first", *["block"] * (depth - 2), "last")

    whole, trace, _ = whole_and_trace(lambda depth: {UPDATE: 100 * depth}, blocks)
    assert largest_moment(whole, trace) == ({"rest": 2000}, 60)


def test_weights_that_are_not_the_whole_models_are_no_line():
    whole, trace, _ = whole_and_trace(lambda depth: {UPDATE: 100 * depth})
    assert largest_moment(Whole({"frozen_weights": 1}, whole.blocks), trace) is None


def test_two_stacks_of_different_depths_are_a_plane():
    whole, trace, made = whole_and_trace(lambda a, b: {UPDATE: 10 * a + 100 * b},
                                         depth=(20, 30), stacks=2)  # fmt: skip
    assert largest_moment(whole, trace) == ({"rest": 3200}, 150)
    assert sorted(made) == [(1, 1), (2, 2), (2, 3), (3, 2)]


def test_shallow_models_that_would_be_no_less_work_are_left_alone():
    whole, trace, made = whole_and_trace(lambda depth: {UPDATE: depth}, depth=6)
    assert largest_moment(whole, trace) is None
    assert made == []
