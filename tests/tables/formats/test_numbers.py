"""How numbers are written: short, with their sign, and in the unit that a reader expects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.tables.definition.table import Column, Entry
from bench.tables.formats.numbers import count_text, number_text, reference_text


@pytest.mark.parametrize(
    ("value", "unit", "digits", "text"),
    [
        (0.02, "percent", 1, "<0.1"),
        (-0.02, "percent", 1, ">−0.1"),
        (-0.001, "GB", 2, ">−0.01"),
        (0.004, "MB", 2, "<0.01"),
        (0.0, "percent", 1, "0.0"),
        (-0.05001, "percent", 1, "−0.1"),
        (-0.001, "score", 2, "0.00"),
    ],
)
def test_what_rounds_to_zero_keeps_its_sign(value, unit, digits, text):
    assert number_text(value, unit, digits) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (9_999, "9,999"), (9_999.6, "10.0k"), (10_000, "10.0k"), (999_949, "999.9k"), (999_960, "1.00M"),
        (1_000_000, "1.00M"), (999_994_999, "999.99M"), (999_999_999, "1.00B"), (13_015_864_320, "13.02B"),
        (-999_960, "-1.00M"), (0, "0"),
    ],
)  # fmt: skip
def test_counts_go_on_to_the_next_unit_where_rounding_takes_them_there(count, text):
    assert count_text(count) == text


@given(st.integers(0, 10**12))
def test_a_count_is_written_within_half_a_percent_and_in_few_characters(count):
    text = count_text(count)
    unit = {"k": 1e3, "M": 1e6, "B": 1e9}.get(text[-1], 1)
    number = text.rstrip("kMB").replace(",", "")
    assert float(number) * unit == pytest.approx(count, rel=0.005)
    assert unit == 1 or float(number) < 1000 or unit == 1e9
    assert len(text) <= 8


@pytest.mark.parametrize(
    ("ours", "text"), [(5.5, "5.00 (+0.50)"), (4.5, "5.00 (−0.50)"), (5.001, "5.00 (<0.01)"), (4.999, "5.00 (>−0.01)")]
)
def test_the_difference_from_the_survey_has_its_sign(ours, text):
    column = Column("train_peak", "", "Peak GB", "GB", 2, "lower", score=False)
    assert reference_text(Entry("done", ours, reference=5.0), column) == text
