"""The reference is made from the schema and the registries: nothing is missing, and everything says what it means."""

from dataclasses import fields

import pytest

from bench.cli.usage import HELP
from bench.configuration.compose import Configurations
from bench.configuration.schema import SECTIONS, CellConfig
from bench.findings.claims import load_claims
from bench.tables.definition.schema import definition_files
from scripts.documenting.commands import commands
from scripts.documenting.meanings import attributes, comments
from scripts.documenting.methods import methods
from scripts.documenting.registries import claims, experiments, models, tables, tasks
from scripts.documenting.settings import ALL, settings


def rows(page):
    """Cells of the page's tables."""
    found = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    return [row for row in found if not row[0].endswith("=`")]  # these are headers


def named(page):
    return [row[0].strip("`") for row in rows(page)]


def test_every_command_with_its_usage_and_settings():
    page = commands()
    for name, text in HELP.items():
        assert text.splitlines()[0] in page, name
    assert "| `format` | `text`, `yaml`, `json` |" in page
    assert page.count("[setting of a cell](settings.md)") > 5


def test_every_setting_of_a_cell_has_a_type_a_default_and_a_meaning():
    page = settings()
    expected = {f"{section}.{field.name}" for section, kind in SECTIONS.items() for field in fields(kind)}
    expected |= {field.name for field in fields(CellConfig) if field.name not in SECTIONS}
    found = {row[0].strip("`"): row[1:] for row in rows(page) if len(row) == 5}
    assert expected <= found.keys()
    assert [name for name, (kind, default, _, meaning) in found.items() if not (kind and default and meaning)] == []
    assert found["training.batch_size"] == ["`int`", "`32`", "1 or more, at most 1000000, a whole number",
                                            "examples per optimizer step"]  # fmt: skip
    assert found["seed"][1] == "`0`"
    assert found["model.hub"][1] == "`null`"
    assert "### Schedule" in page
    assert "| `eager` | product, softmax, product" in page


def test_a_comment_above_and_one_behind_a_field_are_its_meaning():
    assert comments(ALL["training"])["warmup"] == "share of the optimizer steps"
    assert comments(ALL["training"])["rate_multipliers"].startswith("What the learning rate is multiplied with")


def test_every_method_with_its_settings():
    page = methods()
    with Configurations() as configurations:
        names = configurations.options("method")
    sections = dict(
        zip(names, [page.partition(f"(`{name}`)\n")[2].partition("\n## ")[0] for name in names], strict=True)
    )
    for name, section in sections.items():
        for fact in ("| category |", "| source |", "| size |", "| merged into the base |", "| components |"):
            assert fact in section, (name, fact)
        said = [row for row in rows(section) if row[0].startswith("`method.")]
        assert [row[0] for row in said if not row[2:] or not row[2]] == [], name
    assert "| `method.r` | `{encoder:8,encoder_decoder:8,decoder:64}` | the rank" in sections["lora"]
    assert "| source | [Hu et al. 2022](https://arxiv.org/abs/2106.09685) |" in sections["lora"]
    assert "no: a bottleneck is not linear" in sections["adapter_s"]


def test_what_a_base_class_says_of_a_setting_holds_for_those_below_it():
    class Above:
        """One.

        Attributes:
            a, b: the
                first.
        """

    class Below(Above):
        """Two.

        Attributes:
            b: another.

        Not this: at all.
        """

    assert attributes(Below) == {"a": "the first.", "b": "another."}


def test_every_table_and_every_claim():
    assert set(named(tables())) == {*definition_files()}
    assert named(claims()) == [claim.id for claim in load_claims()]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "group"), [(models, "model"), (tasks, "task"), (experiments, "experiment")])
def test_every_name_of_a_registry(make, group):
    with Configurations() as configurations:
        assert set(named(make())) == {*configurations.options(group)}
