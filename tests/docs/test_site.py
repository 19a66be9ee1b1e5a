"""The site that `make docs` built: it asks for nothing from elsewhere, and every page and picture is there."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

SITE = Path(os.environ.get("BENCH_SITE", "nowhere"))  # set by `make docs`: a site of long ago says nothing of today's
PAGES = sorted(SITE.rglob("*.html"))
# Links of these kinds are loaded; of others (canonical, next) a reader decides.
LOADED = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
ABSOLUTE = re.compile(r"[a-z]+:|//")

pytestmark = pytest.mark.skipif(not PAGES, reason="looks at the site that `make docs` builds")


class References(HTMLParser):
    """What a page loads, and what it links to."""

    def __init__(self, page):
        super().__init__()
        self.loaded, self.linked = [], []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.linked.append(given["href"])
        elif tag == "link" and LOADED & set(given.get("rel", "").split()):
            self.loaded.append(given["href"])
        elif tag != "a" and given.get("src"):
            self.loaded.append(given["src"])


@pytest.fixture(scope="module")
def references():
    return {page: References(page) for page in PAGES}


def test_scripts_styles_fonts_and_pictures_are_the_site_s_own(references):
    foreign = {(page.name, one) for page, found in references.items() for one in found.loaded if ABSOLUTE.match(one)}
    assert foreign == set()
    for style in SITE.rglob("*.css"):
        asked = re.findall(r"url\(['\"]?([^'\")]+)", style.read_text(encoding="utf-8"))
        assert [one for one in asked if ABSOLUTE.match(one) and not one.startswith("data:")] == [], style


def test_whatever_a_page_loads_or_links_to_is_there(references):
    missing = set()
    for page, found in references.items():
        for target in [*found.loaded, *found.linked]:
            path = unquote(target.partition("#")[0].partition("?")[0])
            if path and not ABSOLUTE.match(target) and not (page.parent / path).exists() and page.name != "404.html":
                missing.add((page.name, target))
    assert missing == set()


def test_the_pages_of_the_reference_are_there_with_a_way_to_search_them():
    for name in ("commands", "settings", "methods", "models", "tasks", "tables", "experiments", "claims", "api"):
        assert (SITE / "reference" / f"{name}.html").is_file(), name
    assert "learning_rate" in (SITE / "search" / "search_index.json").read_text(encoding="utf-8")
    assert "bench.load" in (SITE / "reference" / "api.html").read_text(encoding="utf-8")
    assert 'id="your-own-method"' in (SITE / "index.html").read_text(encoding="utf-8")
    assert (SITE / "source/configs/method/lora.yaml.html").is_file()
    marked = (SITE / "budgets.html").read_text(encoding="utf-8")
    assert "Needs a GPU; Needs the Hugging Face hub, or its files in a folder" in marked
