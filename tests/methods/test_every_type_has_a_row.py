"""Every type of the installed peft library has a row of its own, or a reason why not that its user is told."""

import re

import pytest

from bench.configuration.compose import Configurations, build
from bench.configuration.without_row import OF_LORA, OTHER_NAMES, TYPES, why_no_row
from bench.errors import UserError
from bench.methods.base import Method
from bench.methods.peft_any import TYPES as OF_THE_LIBRARY
from bench.methods.shared.peft_library import PeftMethod
from tests.tiny import all_methods, settings_of, tiny_model, tiny_setting

# Rows that are the library's too, with code of ours: what they are in it.
OURS = {"krona": "LOKR", "prefix_tuning": "PREFIX_TUNING"}


@pytest.fixture(scope="module")
def rows():
    """The library's type of every row that is one of its."""
    setting = tiny_setting(tiny_model("encoder"), "encoder")
    found = dict(OURS)
    for name in all_methods():
        method = build(settings_of(name), Method)
        if name != "peft/any" and isinstance(method, PeftMethod) and name not in found:
            found[name] = method.peft_config(setting).peft_type.value
    return found


@pytest.mark.parametrize("kind", sorted(OF_THE_LIBRARY))
def test_a_type_is_a_row_or_its_user_is_told_why_not(kind, rows):
    told = f"peft has {kind}: give it a row in configs/method, or a reason in bench/configuration/without_row.py"
    assert (kind in rows.values()) != (kind in TYPES), told


def test_no_reason_is_left_of_types_that_the_library_has_no_longer():
    assert not TYPES.keys() - OF_THE_LIBRARY.keys()


def test_no_row_has_a_reason_why_there_is_none():
    assert not [name for name in all_methods() if why_no_row(name)]
    assert set(OTHER_NAMES.values()) <= set(all_methods())


@pytest.mark.parametrize("name", ["lily", "P-Tuning", "EVA", "lora+", "bone", "POLY", "boft"])
def test_who_asks_for_one_is_told_in_a_line(compose, name):
    with pytest.raises(UserError, match=re.escape(f"'{name}'")) as caught:
        compose(f"method={name}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize("known", sorted(TYPES | OF_LORA))
def test_what_is_named_in_place_of_a_row_is_there(known):
    instead = (TYPES | OF_LORA)[known].instead
    for method in re.findall(r"method=([\w/]+)", instead):
        assert method in all_methods()
    if "peft.type=" in instead:
        assert re.search(r"peft\.type=(\w+)", instead)[1] in OF_THE_LIBRARY


def test_a_method_of_ones_own_may_have_such_a_name(tmp_path):
    (tmp_path / "method").mkdir()
    with Configurations() as configurations:
        text = (configurations.folders[0] / "method/lora.yaml").read_text()
    (tmp_path / "method/lily.yaml").write_text(text.replace("name: lora", "name: lily"))
    with Configurations(str(tmp_path)) as own:
        assert own.cell(["method=lily"]).config["method"]["name"] == "lily"
