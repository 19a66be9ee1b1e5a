"""docs/methods.md is what the registry says today."""

from pathlib import Path

from scripts.document_methods import COMMAND, document


def test_the_page_is_current():
    page = Path(__file__).parents[2] / "docs" / "methods.md"
    assert page.read_text() == document(), f"run {COMMAND}"
