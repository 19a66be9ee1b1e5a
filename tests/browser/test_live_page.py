"""The live page as somebody sees it: wide and narrow, dark and light, by keyboard alone, while a sweep goes on."""

import time
from pathlib import Path

import pytest

from tests.browser.conftest import served
from tests.tables.made_records import make_record, save
from tests.watching.places import EXPERIMENT, fill, fill_many, run

expect = pytest.importorskip("playwright.sync_api", reason="no Playwright: make test-browser installs it").expect
pytestmark = pytest.mark.slow
SIZES = {"narrow": (390, 844), "wide": (1440, 900)}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    fill(folder)
    return folder


@pytest.fixture
def opened(browser):
    contexts = []

    def open_page(server, size: str = "wide", scheme: str = "light"):
        width, height = SIZES[size]
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda line: page.faults.append(line.text) if line.type == "error" else None)
        page.goto(server.address)
        page.wait_for_selector("section.experiment")
        return page

    yield open_page
    for context in contexts:
        context.close()


def is_wider_than_window(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_everybody_can_read_it(results, opened, pictures, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe: make test-browser installs it")
    with served(results) as server:
        page = opened(server, size, scheme)
        page.locator(".failures summary").first.click()
        expect(page.locator("details pre").first).to_contain_text("ValueError")
        page.screenshot(path=pictures / f"{size}-{scheme}.png", full_page=True)
        found = [axe.Axe().run(page)]
        assert not is_wider_than_window(page)
        page.locator(".grid td button").first.click()
        page.wait_for_selector("#cells-list > *")
        page.screenshot(path=pictures / f"{size}-{scheme}-cells.png")
        found.append(axe.Axe().run(page))
        for one in found:
            told = [
                f"{fault['id']}: {node['html'][:150]}"
                for fault in one.response["violations"]
                for node in fault["nodes"]
            ]
            assert told == []
        assert page.faults == []


def test_it_says_where_cells_stand(results, opened):
    with served(results) as server:
        page = opened(server)
        text = page.locator("section.experiment").inner_text()
        assert "36 done" in text
        assert "1 running" in text
        assert "30 of 90" in text
        assert "left" in page.locator(".left").inner_text()
        page.locator(".failures summary").first.click()
        expect(page.locator("details pre").first).to_contain_text("ValueError")
        assert "<b>no</b>" in page.locator("details pre").first.inner_text(), "text, not markup"
        assert page.locator(".grid button[aria-label^='lora on miniature/rte']").inner_text().startswith("3/3")


def test_by_keyboard_alone(results, opened):
    with served(results) as server:
        page = opened(server)
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('.grid td') !== null"):
                break
        place = "document.activeElement.getAttribute('aria-label')"
        first = page.evaluate(place)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        assert page.evaluate(place) not in (first, None)
        where = page.evaluate(place)
        page.keyboard.press("Enter")
        page.wait_for_selector("#cells-list > *")
        assert page.locator("#cells").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("#cells").is_visible()
        assert page.evaluate(place) == where, "focus is back"
        page.keyboard.press("Tab")
        assert not page.evaluate("document.activeElement.closest('.grid td') !== null"), "the grid is one stop"


def test_it_follows_the_sweep_and_stays_where_it_is(tmp_path, opened):
    fill(tmp_path)
    with served(tmp_path) as server:
        page = opened(server, "narrow")
        button = page.locator(".grid button").nth(4)
        button.focus()
        page.evaluate("window.scrollTo(0, 300)")
        top, label = page.evaluate("scrollY"), page.evaluate("document.activeElement.getAttribute('aria-label')")
        save(tmp_path, make_record(method="lora", task="miniature/rte", seed=9))
        run(tmp_path, "lora", "miniature/rte", 5)
        expect(page.locator(".legend")).to_contain_text("37 done")
        assert "2 running" in page.locator(".legend").inner_text()
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == label
        assert page.evaluate("scrollY") == top
        assert page.locator("#gone").is_hidden()
    page.wait_for_selector("#gone:not([hidden])")
    assert "does not answer; what is shown is of" in page.locator("#gone").inner_text()


def test_ten_thousand_cells(tmp_path, opened, pictures):
    fill_many(tmp_path, 10_000)
    with served(tmp_path) as server:
        server.watch.look()
        page = opened(server)
        begin = time.perf_counter()
        page.reload()
        page.wait_for_selector(".grid tbody tr")
        seconds = time.perf_counter() - begin
        assert seconds < 10
        page.screenshot(path=pictures / "many.png")
        assert "10000 done" in page.locator(".legend").inner_text()
        page.locator("input").fill("method_24")
        expect(page.locator(".grid tbody tr")).to_have_count(10)
        assert not is_wider_than_window(page)


def test_nothing_yet(tmp_path, browser):
    with served(tmp_path) as server:
        page = browser.new_page()
        page.goto(server.address)
        expect(page.locator("main")).to_contain_text("No cells yet")
        fill(tmp_path)
        page.wait_for_selector("section.experiment")
        assert EXPERIMENT in page.locator("h2").first.inner_text()
        assert "No cells yet" not in page.locator("main").inner_text()
        page.close()
