"""The tables of docs/memory.md that a command writes."""

import pytest

from bench.configuration.compose import Configurations
from scripts.document_memory import COMMAND, PAGE, PUBLISHED, RECIPES, SECTIONS, section


def rows_of(name):
    return [line for line in section(PAGE.read_text(), name).splitlines() if line.startswith("|")][2:]


def test_every_recipe_and_every_measurement_of_others_has_a_row():
    for recipe, row in zip(RECIPES, rows_of("recipes"), strict=True):
        assert row.startswith(f"| `model={recipe.model} method={recipe.method} ")
        assert all(setting in row for setting in recipe.settings)
    for one, row in zip(PUBLISHED, rows_of("published"), strict=True):
        assert row.startswith(f"| {one.what} ({one.source}) | {one.size / 1e9:.2f} | ")


def test_the_commands_of_the_page_are_cells():
    with Configurations() as configurations:
        for settings in [recipe.command for recipe in RECIPES[:7]] + [one.settings for one in PUBLISHED]:
            assert configurations.cell(list(settings)).training.micro_batch_size


@pytest.mark.slow
@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_is_current(name):
    assert "\n".join(SECTIONS[name]()) == section(PAGE.read_text(), name), f"run {COMMAND}"
