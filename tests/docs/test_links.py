"""No link of a document is dead: files within the repository, and headings within files."""

import re
from collections import Counter

import pytest

from scripts.documenting.links import FIRST, for_site, in_repository, outside, source_page, targets
from scripts.picture_tables import NAMES, RECORDS
from tests.docs.blocks import PAGES, ROOT


def page_name(path):
    return FIRST if path.name == "README.md" else path.name


def anchors(path):
    """As GitHub makes them, and the site with pymdownx's slugs: lower case, no punctuation, hyphens for spaces."""
    text = "".join(part for part, free in outside(path.read_text()) if free)
    seen, found = Counter[str](), set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def dead(path, text):
    """The links of a page that lead nowhere."""
    found = []
    for target in targets(text):
        file = ROOT / in_repository(page_name(path), target)
        anchor = target.partition("#")[2]
        if not file.is_file() or (anchor and anchor not in anchors(file)):
            found.append(target)
    return found


def test_no_link_is_dead():
    assert {path.name: dead(path, path.read_text()) for path in PAGES} == {path.name: [] for path in PAGES}
    assert sum(len(targets(path.read_text())) for path in PAGES) > 80


@pytest.mark.parametrize(
    "target", ["nowhere.md", "tables.md#nothing", "#nothing", "../README.md#nothing", "../configs"]
)
def test_a_dead_link_is_found(target):
    assert dead(ROOT / "docs/sweeps.md", f"see [there]({target})") == [target]


def test_pictures_are_those_that_the_command_draws_from_published_records():
    shown = {
        name for path in PAGES for name in re.findall(r"!\[[^\]]*\]\((?:docs/)?pictures/([^)]+)\)", path.read_text())
    }
    assert shown == set(NAMES) == {path.name for path in (ROOT / "docs/pictures").iterdir()}
    assert RECORDS.startswith("results/published/")


def test_every_page_of_docs_is_reached_from_the_site_s_menu():
    listed = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    assert {path.name for path in PAGES if f" {page_name(path)}\n" not in listed} == set()


def test_a_link_out_of_docs_becomes_a_page_of_the_site():
    said = "[a](../configs/x.yaml) [b](../README.md#your-own-method) [c](memory.md#recipes) [d](https://a.b) [e](#here)"
    expected = (
        "[a](source/configs/x.yaml.md) [b](index.md#your-own-method) [c](memory.md#recipes) [d](https://a.b) [e](#here)"
    )
    assert for_site("sweeps.md", said) == expected
    assert (
        for_site(FIRST, "[a](docs/memory.md#recipes) [b](CITATION.cff)")
        == "[a](memory.md#recipes) [b](source/CITATION.cff.md)"
    )
    assert for_site("reference/x.md", "[a](../../configs/x.yaml) [b](../tables.md)") == (
        "[a](../source/configs/x.yaml.md) [b](../tables.md)"
    )
    assert for_site("sweeps.md", "```\n[a](../x)\n```\n") == "```\n[a](../x)\n```\n"


def test_a_page_of_a_markdown_file_has_the_words_of_its_links(tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.documenting.links.ROOT", tmp_path)
    (tmp_path / "README.md").write_text("# A\n[tables](tables/a.csv), [records](records), [paper](https://a.b/c)\n")
    assert source_page("README.md") == "# A\ntables, records, [paper](https://a.b/c)\n"


def test_a_page_of_a_file_has_its_text_and_a_file_that_is_not_there_is_refused():
    assert "````yaml" in source_page("configs/method/lora.yaml")
    assert (ROOT / "configs/method/lora.yaml").read_text() in source_page("configs/method/lora.yaml")
    assert "\n# Changes\n" in f"\n{source_page('CHANGELOG.md')}"
    for path in ("configs/method/none.yaml", "configs"):
        with pytest.raises(FileNotFoundError, match="a page links to"):
            source_page(path)
