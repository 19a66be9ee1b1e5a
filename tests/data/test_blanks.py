"""Texts with blanks: a row for each, as a declared task reads them, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.configuration.annotations import filled
from bench.configuration.schema import DataConfig
from bench.data.declared import DataSource
from bench.data.declared_rules import Filled, Plain
from bench.errors import UserError

BLANKS = {"texts": "content", "pattern": r"#b\d+#", "answers": "word", "asked": "(?)", "others": "( )"}
ROWS = [
    {"id": 1, "content": ["sti #b1# nu #b2# .", "va", "#b3#"], "word": ["x", "y", "z"]},
    {"id": 2, "content": ["den #b4#"], "word": ["x"]},
]
RULES = {"content": Filled(), "word": Filled(), "id": Plain()}


def source(folder: Path, rows: list[dict[str, Any]] = ROWS, **changes: Any) -> DataSource:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"files": str(folder / "rows.jsonl"), "blanks": BLANKS | changes.pop("blanks", {})}
    return filled(DataSource, given | changes, "task.data", "own")


def read(found: DataSource, split: str = "train") -> list[dict[str, Any]]:
    return found.locate(split, RULES, ["content"], DataConfig()).rows().to_pylist()


def test_each_blank_is_a_row_with_the_others_marked_and_the_rest_as_it_was(tmp_path):
    assert read(source(tmp_path)) == [
        {"content": "sti (?) nu ( ) .", "word": "x", "id": "1"},
        {"content": "sti ( ) nu (?) .", "word": "y", "id": "1"},
        {"content": "(?)", "word": "z", "id": "1"},
        {"content": "den (?)", "word": "x", "id": "2"},
    ]


def test_rows_are_picked_before_and_held_out_after(tmp_path):
    assert [row["word"] for row in read(source(tmp_path, where={"id": 2}))] == ["x"]
    held = source(tmp_path, holdout=0.25)
    assert (len(read(held)), len(read(held, "validation"))) == (3, 1)


def test_another_way_to_mark_blanks_makes_other_tokens(tmp_path):
    keys = {source(tmp_path, blanks=one).locate("train", RULES, ["content"], DataConfig()).key for one in (
        {}, {"asked": "!"}, {"others": "!"},
    )}  # fmt: skip
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        ([ROWS[0] | {"word": ["x", "y"]}], {}, "train, row 1: content has 3 blanks and word 2 texts"),
        ([ROWS[0] | {"content": ["va"]}], {}, "train, row 1: content has 0 blanks and word 3 texts"),
        ([ROWS[0] | {"content": []}], {}, "row 1: content is an empty list"),
        ([ROWS[0] | {"word": ["x", "", "z"]}], {}, "row 1: word has a text 2 that is empty"),
        (ROWS, {"pattern": "#("}, "task.data.blanks.pattern='#\\(': missing \\)"),
        (ROWS, {"pattern": "#*"}, "finds blanks where there is no text"),
        (ROWS, {"texts": "contents"}, "unknown text in task.data.blanks 'contents'"),
        (ROWS, {"answers": "id"}, "unknown text in task.data.blanks 'id'"),
        (ROWS, {"answers": "content"}, "content cannot be both texts and answers"),
        (ROWS, {"mark": "x"}, "unknown setting of task.data.blanks 'mark'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(tmp_path, rows, changes, message):
    with pytest.raises(UserError, match=message) as error:
        read(source(tmp_path, rows, blanks=changes))
    assert "\n" not in str(error.value)


def test_a_setting_that_is_missing_is_named():
    with pytest.raises(UserError, match=r"'task\.data\.blanks' needs the setting 'asked'"):
        DataSource(files="rows.jsonl", blanks={key: BLANKS[key] for key in BLANKS if key != "asked"})
