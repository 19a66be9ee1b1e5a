"""The share of training rows that is cut off: which rows it has, which it never has, and where none can be cut."""

from collections import Counter

import pyarrow as pa
import pytest

from bench.data.selection import Selection, Strata
from bench.data.source import Located
from bench.errors import UserError

LABELS = Strata("label", ("no", "yes", "maybe"))


def cut(rows, **changes):
    """The share of some rows and the rest, as lists of rows."""
    table = pa.Table.from_pylist(rows)
    settings = {"texts": ("text",), "share": 0.1, "seed": 0} | changes
    selection = Selection(found=Located("f", "k", lambda: table), split="train", **settings)
    return selection.scored().rows().to_pylist(), selection.rest().rows().to_pylist()


def rows_of(count, label=lambda row: row % 2):
    return [{"text": f"text {row}", "label": label(row)} for row in range(count)]


def test_every_row_is_on_one_side_and_each_label_has_its_share():
    rows = rows_of(1000, lambda row: 0 if row < 900 else 1 if row < 980 else 2)
    share, rest = cut(rows, strata=LABELS)
    assert Counter(row["label"] for row in share) == {0: 90, 1: 8, 2: 2}
    assert sorted(row["text"] for row in share + rest) == sorted(row["text"] for row in rows)


def test_a_label_of_two_texts_has_one_on_either_side():
    share, rest = cut(rows_of(40, lambda row: int(row < 2)), strata=LABELS)
    assert sum(row["label"] for row in share) == sum(row["label"] for row in rest) == 1


def test_each_range_of_a_number_has_its_share():
    share, _ = cut(rows_of(400, lambda row: row / 80), strata=Strata("label"))
    assert len(share) == 40
    assert Counter(int(row["label"] / 0.5) for row in share) == dict.fromkeys(range(10), 4)


def test_rows_with_the_same_text_are_never_parted():
    rows = [{"text": f"text {row % 50}", "label": row % 3} for row in range(300)]
    for seed in range(5):
        share, rest = cut(rows, seed=seed, strata=LABELS)
        assert not {row["text"] for row in share} & {row["text"] for row in rest}
        assert share


def test_rows_of_one_group_stay_together_and_so_do_texts_across_groups():
    rows = [{"text": f"text {row // 2}", "label": 0, "question": str(row // 5)} for row in range(200)]
    share, rest = cut(rows, group=("question",))
    for column in ("text", "question"):
        assert not {row[column] for row in share} & {row[column] for row in rest}


def test_the_seed_decides_and_the_order_of_the_rows_does_not():
    rows = rows_of(200)
    first, again, other = (
        {row["text"] for row in cut(some, seed=seed)[0]} for some, seed in ((rows, 0), (rows[::-1], 0), (rows, 1))
    )
    assert first == again != other


def test_rows_from_elsewhere_lose_those_with_a_text_of_the_share():
    rows = rows_of(100)
    selection = Selection(
        found=Located("f", "k", lambda: pa.Table.from_pylist(rows)), split="train", texts=("text",), share=0.3, seed=0
    )  # fmt: skip
    taught = pa.Table.from_pylist([{"ask": row["text"]} for row in rows] + [{"ask": "another"}])
    kept = selection.without(Located("g", "l", lambda: taught), ("ask",)).rows().column("ask").to_pylist()
    share = {row["text"] for row in selection.scored().rows().to_pylist()}
    assert len(kept) == 71
    assert not share & set(kept)


def test_what_decides_the_rows_is_in_the_key():
    found = Located("f", "k", lambda: None)
    settings = {"found": found, "split": "train", "texts": ("text",), "share": 0.1, "seed": 0}
    changes = [{}, {"share": 0.2}, {"seed": 1}, {"strata": LABELS}, {"group": ("question",)}, {"texts": ("other",)}]
    keys = [Selection(**(settings | change)).scored().key for change in changes]
    assert len({*keys, Selection(**settings).rest().key, found.key}) == len(changes) + 2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (rows_of(19), "data.score_on=selection: train has 19 rows, too few to cut a share off; it takes 20"),
        (rows_of(40, lambda row: int(row == 0)), "one text of train has the label yes, and both sides of the cut need"),
        ([{"text": "same", "label": 0}] * 30, "all rows of train belong together, and no share can be cut off"),
    ],
)
def test_too_few_rows_are_one_line(rows, said):
    with pytest.raises(UserError) as error:
        cut(rows, strata=LABELS)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_rows_from_elsewhere_that_all_have_a_text_of_the_share_are_one_line():
    rows = rows_of(30)
    selection = Selection(
        found=Located("f", "k", lambda: pa.Table.from_pylist(rows)), split="train", texts=("text",), share=0.3, seed=0
    )  # fmt: skip
    share = pa.Table.from_pylist(selection.scored().rows().to_pylist())
    with pytest.raises(UserError, match="every row that is trained on has a text of the share of train"):
        selection.without(Located("g", "l", lambda: share), ("text",)).rows()
