"""The notebooks of docs/notebooks run as they stand, one after the other in one folder, as a reader runs them."""

import re
from pathlib import Path

import matplotlib as mpl
import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
CELL = re.compile(r"^# %%(?P<kind>.*)$", re.MULTILINE)


def cells_of(name):
    """The code of each cell; those of text are all comments."""
    head, *parts = CELL.split((FOLDER / name).read_text())
    assert "format_name: percent" in head
    cells = list(zip(parts[::2], parts[1::2], strict=True))
    for kind, text in cells:
        assert kind in ("", " [markdown]")
        if kind:
            assert all(line.startswith("#") for line in text.strip().splitlines())
    return [text for kind, text in cells if not kind]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def your_model(folder):
    return run("your_model.py", folder)


def run(name, folder):
    known = {}
    with pytest.MonkeyPatch.context() as patch, mpl.rc_context({"backend": "agg"}):
        patch.chdir(folder)
        for cell in cells_of(name):
            exec(compile(cell, name, "exec"), known)
    return known


def test_the_survey_on_your_model(your_model):
    frame, table = your_model["frame"], your_model["table"]
    assert frame["status"].tolist() == ["done"] * 3
    assert sorted(table["method"]) == sorted(your_model["METHODS"])
    scores = dict(zip(frame["method"], frame["score"], strict=True))
    shown = dict(zip(table["method"], table["sst2.accuracy"], strict=True))
    assert shown == {method: pytest.approx(100 * score) for method, score in scores.items()}
    assert scores[your_model["best"].cell.method] == max(scores.values())


def test_a_figure_of_your_own(your_model, folder):
    known = run("own_figure.py", folder)
    assert len(known["frame"]) == 3  # the sweep ran nothing again
    for name in ("score", "curve", "memory"):
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
