"""What is searched, where its ends are, and the points that are tried."""

import math

import pytest
import yaml

from bench.configuration.folder import CONFIGS
from bench.errors import UserError
from bench.tuning.sequence import points
from bench.tuning.space import EDGE, RATE_KEY, Dimension, Space, space_of

RATE = Dimension(RATE_KEY, 1e-5, 1e-2, log=True)
KNOBS = {
    "a list": Dimension("method.r", values=(4, 8, 16)),
    "whole numbers": Dimension("method.r", 4, 64, log=True, whole=True),
    "a share": Dimension("method.dropout", 0.0, 0.2),
}


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [("full", 1e-6, 1e-3), ("lora", 1e-5, 1e-2), ("adapter_s", 1e-5, 1e-2), ("ia3", 1e-4, 1e-1),
     ("prompt_tuning", 1e-4, 1e-1)],
)  # fmt: skip
def test_published_rates_span_three_decades_alike_for_every_task(compose, method, low, high):
    spaces = {space_of(compose(f"task={task}", f"method={method}")) for task in ("glue/rte", "miniature/cola")}
    (space,) = spaces
    assert space == Space((Dimension(RATE_KEY, low, high, log=True),))
    assert space.remark is None


@pytest.mark.parametrize("file", [*(CONFIGS / "method").rglob("*.yaml")], ids=lambda file: file.stem)
def test_no_method_of_the_package_has_a_knob_that_others_lack(file):
    if file.stem == "hybrid":
        return  # which is there to be searched
    assert "search" not in yaml.safe_load(file.read_text()), "docs/fairness.md says why"


def test_of_a_hybrid_the_rate_and_a_number_for_each_part_are_searched(compose):
    space = space_of(compose("method=hybrid"))
    parts = ("lora", "adapter", "bitfit", "ia3", "prefix")
    assert space.dimensions == (RATE, *(Dimension(f"method.mix.{name}", 0, 1, whole_range=True) for name in parts))
    found = points(space, 16)
    for name in parts:
        assert sum(point[f"method.mix.{name}"] > 0.5 for point in found) == 8, "each part is in half of the trials"
    ends = {one.key: 1.0 for one in space.dimensions[1:]} | {RATE_KEY: 3e-4}
    assert space.edges(ends) == [], "nothing lies beyond a part that is out, or one that has all"


def test_a_narrower_mixture_has_ends_and_a_part_that_is_none_is_refused(compose):
    space = space_of(compose("method=hybrid", "method.search.mix={lora: [0.5, 1.0]}"))
    assert space.edges({RATE_KEY: 3e-4, **{one.key: 0.5 for one in space.dimensions[1:]}})[0].startswith(
        "method.mix.lora=0.5 lies at the lower end of mix.lora 0.5…1 evenly"
    )
    with pytest.raises(UserError, match=r"unknown key of method.search.mix of 'hybrid': 'lore'; did you mean lora"):
        space_of(compose("method=hybrid", "+method.search.mix.lore=[0.0,1.0]"))


def test_a_part_s_setting_is_a_knob_too(compose):
    cell = compose("method=mam", "+method.search={parts.adapter.bottleneck: [8, 32]}")
    assert space_of(cell).dimensions[1] == Dimension("method.parts.adapter.bottleneck", 8, 32, whole=True)


def test_parts_do_not_hand_on_what_they_declare(compose):
    cell = compose("method=compose", "+method.parts.lora.search={r: [4, 8]}")
    assert "search" not in cell.config["method"]["parts"]["lora"]
    assert space_of(cell).dimensions == (RATE,)


def test_the_ends_are_an_eighth_of_the_scale_or_the_end_of_a_list():
    inside = 10 ** (-5 + 3 * (EDGE + 0.01))
    assert [RATE.edge(value) for value in (1e-5, inside / 1.2, inside, 3e-4, 9e-3)] == [
        "lower", "lower", None, None, "upper"]  # fmt: skip
    assert [KNOBS["a list"].edge(value) for value in (4, 8, 16)] == ["lower", None, "upper"]
    assert KNOBS["a share"].edge(0.19) == "upper"
    assert Dimension("method.reads", values=("residual", "normalised")).edge("residual") is None, "there is no order"


@pytest.mark.parametrize("knob", KNOBS)
def test_points_are_a_function_of_the_space_and_their_number(knob):
    space = Space((RATE, KNOBS[knob]))
    found = points(space, 16)
    points.cache_clear()
    assert points(space, 7) == found[:7]
    assert len({tuple(point.values()) for point in found}) == 16
    assert all(1e-5 <= point[RATE_KEY] <= 1e-2 for point in found)
    wanted = KNOBS[knob].values or (KNOBS[knob].low, KNOBS[knob].high)
    assert all(min(wanted) <= point[KNOBS[knob].key] <= max(wanted) for point in found)


def test_points_cover_the_scale_evenly_and_alike_for_every_method():
    low, high = (points(Space((Dimension(RATE_KEY, start, start * 1e3, log=True),)), 16) for start in (1e-6, 1e-4))
    places = sorted((math.log10(point[RATE_KEY]) + 6) / 3 for point in low)
    assert [int(place * 16) for place in places] == list(range(16)), "one in each sixteenth"
    for one, other in zip(low, high, strict=True):
        assert other[RATE_KEY] == pytest.approx(one[RATE_KEY] * 100, rel=1e-3)
