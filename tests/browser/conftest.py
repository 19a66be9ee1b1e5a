"""A headless Chromium, and the live page of a results folder; skipped, with the reason, where there is none."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.watching.server import LiveServer
from bench.watching.watch import Watch

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser():
    sync = pytest.importorskip("playwright.sync_api", reason="no Playwright: make test-browser installs it")
    place = next(filter(None, map(shutil.which, NAMES)), None)
    with sync.sync_playwright() as playwright:
        place = place or (str(at) if (at := Path(playwright.chromium.executable_path)).exists() else None)
        if place is None:
            pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on the path")
        found = playwright.chromium.launch(executable_path=place, args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def served(results: Path) -> Iterator[LiveServer]:
    with LiveServer(Watch(results), 0, lambda: "<h1>Report</h1>") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go, for whoever wants to look at them."""
    return tmp_path_factory.mktemp("screenshots")
