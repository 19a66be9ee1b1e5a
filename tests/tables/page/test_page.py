"""The page in a real browser: complete, sortable, filterable, with the record behind a figure, wide and narrow."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.tables import make_table
from bench.tables.page.html import to_html
from tests.tables.golden_records import EXPERIMENT, write_golden_records

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

# Runs after the page's own script; what it finds is read from the dumped document.
PROBE = """
<script>
const found = {};
const table = document.querySelector("table.results");
const names = () => all("tr[data-method]", table).filter((row) => !row.hidden).map((row) => row.dataset.method);
const button = all("th button", table).find((item) => item.textContent === "Mcc");
button.click();
found.sorted = names();
button.click();
found.reversed = names();
const method = document.getElementById("filter-method");
method.value = "lora"; method.dispatchEvent(new Event("input"));
found.filtered = names();
method.value = ""; method.dispatchEvent(new Event("input"));
const task = document.getElementById("filter-task");
task.value = "cola"; task.dispatchEvent(new Event("input"));
found.tasks = [...new Set(all("td[data-task]", table).filter((cell) => !cell.hidden).map((cell) => cell.dataset.task))];
found.blocks = all("tbody").filter((body) => !body.hidden).map((body) => body.querySelector("tr.block").textContent);
found.figures = all("figure").filter((figure) => figure.offsetParent !== null).map((figure) => figure.dataset.ofTask);
task.value = ""; task.dispatchEvent(new Event("input"));
found.everything = all("tbody").filter((body) => !body.hidden).length;
const cell = table.querySelector("tr[data-method=lora] td[data-task=cola]");
cell.focus();
cell.dispatchEvent(new PointerEvent("pointerover", {bubbles: true, clientX: 10, clientY: 10}));
found.tip = document.getElementById("tip").hidden ? "" : document.getElementById("tip").textContent;
found.overflow = document.documentElement.scrollWidth > innerWidth;
found.background = getComputedStyle(document.body).backgroundColor;
found.requests = performance.getEntriesByType("resource").map((entry) => entry.name);
document.body.setAttribute("data-found", JSON.stringify(found));
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    results = tmp_path_factory.mktemp("results")
    write_golden_records(results)
    tables = [make_table(str(results), EXPERIMENT, name) for name in ("glue", "memory")]
    return to_html(tables)


def browse(page: str, folder: Path, *options: str) -> dict:
    assert BROWSER is not None
    file = folder / "page.html"
    file.write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}",
    ]
    home = {**os.environ, "HOME": str(folder)}
    command = [BROWSER, *flags, *options, "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=home)
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found is not None, done.stdout[-500:]
    return json.loads(found[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


@needs_browser
def test_sorting_filters_and_the_record_behind_a_figure(page, tmp_path):
    found = browse(page, tmp_path, "--window-size=1200,900")
    assert found["sorted"] == ["lora", "bitfit", "ia3", "full", "mam"]
    assert found["reversed"] == ["full", "ia3", "bitfit", "lora", "mam"]
    assert found["filtered"] == ["lora"]
    assert found["tasks"] == ["", "cola"]
    assert found["blocks"] == ["miniature RoBERTa", "miniature RoBERTa on miniature/cola"]
    assert found["figures"] == ["", "miniature/cola"]  # the average's, and memory's of the one task
    assert found["everything"] == 4
    assert "2 of 2 seeds finished" in found["tip"]
    assert "record.json" in found["tip"]
    assert found["requests"] == []
    assert not found["overflow"]


@needs_browser
def test_on_a_phone_only_the_tables_scroll_sideways(page, tmp_path):
    assert not browse(page, tmp_path, "--window-size=390,800")["overflow"]


@needs_browser
def test_dark_where_the_reader_wants_it_dark(page, tmp_path):
    light = browse(page, tmp_path, "--window-size=1200,900")["background"]
    dark = browse(page, tmp_path, "--window-size=1200,900", "--blink-settings=preferredColorScheme=0")["background"]
    assert light == "rgb(255, 255, 255)"
    assert dark == "rgb(13, 17, 23)"


def test_the_page_asks_for_nothing_from_elsewhere(page):
    links = re.findall(r'\s(?:src|href|xlink:href|action|srcset|data|poster)="([^"]*)"', page)
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"@import|url\((?!#)|<link|<iframe|<object|<img", page)
