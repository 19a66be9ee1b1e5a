"""Components of a method: declared in its YAML, switched off by a word or by their settings."""

import itertools
import json

import pytest

from bench.configuration.compose import Configurations
from bench.errors import UserError
from bench.sweeping.selection import select_cells

OFF = [
    ("mam", "prefix", "method.parts.prefix=null"),
    ("mam", "reparameterisation", "method.parts.prefix.inner=null"),
    ("propelt_adapter", "masks", "method.masks=none"),
    ("adapter_s", "attention", "method.attention=false"),
    ("adalora", "orthogonality", "method.orthogonality=0.0"),
    ("lora", "scale", "method.scaled=false"),
    ("qlora", "nf4", "method.nf4=false"),
    ("child_tuning_d", "fisher", "method.child=random"),
]


@pytest.mark.parametrize(("method", "component", "setting"), OFF, ids=[f"{m}-{c}" for m, c, _ in OFF])
def test_off_by_its_name_or_by_its_settings_is_the_same_cell(compose, method, component, setting):
    named, plain = compose(f"method={method}", f"method.without={component}"), compose(f"method={method}", setting)
    assert named.id == plain.id
    assert named.config["method"] == plain.config["method"]
    assert named.config["method"]["components"][component] == "off"
    assert named.id != compose(f"method={method}").id


def test_a_record_says_what_is_on_what_is_off_and_what_is_a_part_of_something_that_is(compose):
    assert compose("method=mam").config["method"]["components"] == dict.fromkeys(
        ("prefix", "reparameterisation", "adapter", "scale"), "on"
    )
    off = compose("method=mam", "method.without=[prefix]").config["method"]["components"]
    assert off == {"prefix": "off", "reparameterisation": "moot", "adapter": "on", "scale": "on"}


def test_states_are_no_part_of_a_cells_identity(compose):
    cell = compose("method=mam")
    assert "components" in cell.config["method"]
    del cell.config["method"]["components"]
    assert cell.config_hash == compose("method=mam").config_hash


def test_what_a_family_has_not_is_off_there(compose):
    encoder = compose("method=lora").config["method"]["components"]
    decoder = compose("method=lora", "model=miniature/llama", "task=miniature/mmlu").config["method"]["components"]
    assert (encoder["keys"], decoder["keys"]) == ("off", "on")
    less = compose("method=lora", "method.without=[queries,keys]").config["method"]["sites"]
    assert less["encoder"] == ["value"]
    assert less["decoder"] == ["value", "output", "feed_forward_input", "feed_forward_output"]


def test_what_is_off_is_off_whatever_its_setting_says(compose):
    both = compose("method=mam", "method.without=scale", "method.parts.adapter.scale.encoder=3")
    assert both.config["method"]["parts"]["adapter"]["scale"]["encoder"] == 1


def test_a_sweep_switches_off_what_a_plain_value_puts_on():
    """What is filled in without Hydra sees the components too."""
    rates, off = ("null", "16"), ("null", "b_rate", "[queries]")
    words = [f"method.b_rate={','.join(rates)}", f"method.without={','.join(off)}", "seed=0,1"]
    with Configurations() as configurations:
        selected = select_cells(["method=lora", *words], configurations.compose, configurations.folders)
        for rate, name, seed in itertools.product(rates, off, ("0", "1")):
            asked = ["method=lora", f"method.b_rate={rate}", f"method.without={name}", f"seed={seed}"]
            cell = configurations.cell(asked)
            found = next(one for _, one in selected.values() if one.id == cell.id)
            assert found.config["method"] == cell.config["method"]
            state = cell.config["method"]["components"]["b_rate"]
            assert state == ("on" if (rate == "16" and name != "b_rate") else "off")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method=mam", "method.without=prefx"], "unknown component of mam 'prefx'; did you mean prefix?"),
        (["method=propelt_lora", "method.without=[masks,share]"], "unknown component of propelt_lora 'share'"),
        (["method=bitfit", "method.without=bias"], "method.without=bias: 'bitfit' declares no components"),
        (["method=mam", "method.without={prefix:1}"], "must name components: method.without=masks"),
        (["method=mam", "method.without=3"], "must name components"),
    ],
)
def test_a_component_that_is_none_is_one_line(bench, words, said):
    result = bench("run", *words)
    assert result.returncode == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def declared(tmp_path, components):
    (tmp_path / "method").mkdir(exist_ok=True)
    text = json.dumps(components)
    (tmp_path / "method" / "mine.yaml").write_text(
        f"defaults: [lora, _self_]\nname: mine\ntitle: Mine\ncomponents: {text}\n"
    )
    with Configurations(str(tmp_path)) as configurations:
        return configurations.cell(["method=mine"])


def test_a_setting_that_a_component_put_in_says_where_it_came_from(compose):
    cell = compose("method=propelt_adapter", "method.without=masks")
    assert cell.origins.of("method.masks") == "method.without=masks"
    assert cell.origins.of("method.components.masks") == "what the settings mean"
    dropped = compose("method=ia3", "method.without=keys")
    assert dropped.origins.of("method.sites.encoder") == "method.without=keys"


def test_a_method_of_ones_own_declares_them_the_same_way(tmp_path):
    cell = declared(tmp_path, {"dropout": {"off": {"dropout": 0.0}}})
    assert cell.config["method"]["components"]["dropout"] == "off"


@pytest.mark.parametrize(
    ("components", "said"),
    [
        ({"x": {}}, "x must be a name in small letters with the settings that hold when it is off"),
        ({"x": {"on": {"r": 1}}}, "the settings that hold when it is off"),
        ({"X y": {"off": {"r": 1}}}, "must be a name in small letters"),
        ({"x": {"drop": {"sites": "query"}}}, "drop takes items out of lists"),
        ({"x": {"off": {"r": 1}, "within": "y"}}, "unknown component of mine 'y'"),
        ({"x": {"off": {"r": 1}, "within": "x"}}, "x is within itself"),
        (
            {"x": {"off": {"alpha": 1}}, "y": {"off": {"alpha": 2}}},
            "x and y both set alpha; put one `within` the other",
        ),
    ],
)
def test_a_declaration_that_is_none_is_one_line(tmp_path, components, said):
    with pytest.raises(UserError, match="mine") as refused:
        declared(tmp_path, components)
    assert said in str(refused.value)
