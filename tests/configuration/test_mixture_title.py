"""A composition that is put together on the command line is called by its parts."""

import pytest

ADAPTER = "+method@method.parts.adapter=adapter_s"


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ((), "LoRA + BitFit"),
        ((ADAPTER,), "LoRA + BitFit + Adapter^S"),
        (("method.parts.bitfit=null", "+method@method.parts.ia3=ia3", "method.order=[lora,ia3]"), "LoRA + (IA)³"),
        ((ADAPTER, "method.budget=1%", "method.shares={lora: 0.7, adapter: 0.3}"), "LoRA 0.7 + BitFit + Adapter^S 0.3"),
        (("method.title=Mine",), "Mine"),
        (("method.parts.lora=null", "method.parts.bitfit=null"), "compose"),
    ],
)
def test_it_is_called_by_its_parts_unless_it_has_a_title(compose, words, title):
    cell = compose("method=compose", *words)
    assert cell.config["method"]["title"] == title


def test_where_the_title_is_from_is_told(compose):
    assert compose("method=compose").origins.of("method.title") == "the titles of its parts"


def test_what_it_is_called_makes_no_other_cell(compose):
    assert compose("method=compose").id == compose("method=compose", "method.title=Mine").id


def test_a_yaml_s_own_title_stays(compose):
    assert compose("method=mam").config["method"]["title"] == "MAM adapter"
