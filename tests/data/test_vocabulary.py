"""Data's tokens against the model that is to read them."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench.configuration.schema import Family
from bench.data.example import Example, Examples, Padding
from bench.data.vocabulary import Known, check_tokens
from bench.errors import UserError
from tests.tiny import tiny_config
from tests.tokens import LETTERS, SPECIAL, made

ROWS = len(SPECIAL) + len(LETTERS)
TEXT: Example = {"input_ids": [1, 5, 6, 7, 2], "labels": 1}


def checked(
    tmp_path: Path,
    *examples: Example,
    family: str = "encoder",
    rows: int = ROWS,
    config: dict[str, Any] | None = None,
    **told: Any,
) -> Known:
    tokenizer = made(tmp_path, family, **told)
    return check_tokens(
        {"train": list(examples) or [TEXT]}, tokenizer, tiny_config(family, **(config or {})), Family(family), rows
    )


def test_data_of_the_models_tokens_pass_in_silence(tmp_path: Path) -> None:
    assert checked(tmp_path, TEXT, TEXT) == Known(segments=False, unknown={"train": 0.0}, warnings=[])


@pytest.mark.parametrize(
    "example", [{"input_ids": [1, ROWS], "labels": 0}, {"input_ids": [1, 5], "labels": [5, ROWS, -100]}]
)
def test_a_token_beyond_the_embedding_is_refused_by_name(example: Example, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"'train'.*\[NEW\].*id {ROWS}.*{ROWS} rows"):
        checked(tmp_path, example, family="encoder_decoder", extra_special_tokens=["[NEW]"])


def test_a_token_that_was_added_and_never_occurs_does_no_harm(tmp_path: Path) -> None:
    assert checked(tmp_path, pad_token="[PAD]", family="decoder").warnings == []


def test_a_vocabulary_larger_than_the_embedding_is_another_models(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"another model's.*beyond the 30 rows"):
        checked(tmp_path, rows=30)


@pytest.mark.parametrize(("kinds", "passed"), [(0, False), (1, False), (2, True)])
def test_segments_go_to_models_that_tell_them_apart(kinds: int, passed: bool, tmp_path: Path) -> None:
    pair = TEXT | {"token_type_ids": [0, 0, 1, 1, 1]}
    known = checked(tmp_path, pair, config={"type_vocab_size": kinds})
    assert known.segments is passed
    assert ("token_type_ids" in Padding(0, segments=known.segments)([pair])) is passed


def test_more_segments_than_the_model_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"segment 2.*type_vocab_size"):
        checked(tmp_path, TEXT | {"token_type_ids": [0, 0, 1, 1, 2]}, config={"type_vocab_size": 2})


@pytest.mark.parametrize(
    ("tokens", "share"), [([1, 5, 6, 3, 2], 1 / 3), ([1, *[5] * 19, 3, 2], 0.05), ([1, 2], 0), ([1, 3, 3, 2], 1)]
)
def test_the_share_of_unknown_tokens_leaves_special_ones_out(tokens: list[int], share: float, tmp_path: Path) -> None:
    known = checked(tmp_path, {"input_ids": tokens, "labels": 0})
    assert known.unknown == {"train": pytest.approx(share)}
    assert [f"{share:.1%}" in warning for warning in known.warnings] == ([True] if share > 0.05 else [])


def test_what_is_to_be_written_counts_too(tmp_path: Path) -> None:
    known = checked(tmp_path, {"input_ids": [5, 6, 2], "labels": [3, 3, 2]}, family="encoder_decoder")
    assert known.unknown == {"train": 0.5}


@pytest.mark.parametrize("family", ["encoder", "encoder_decoder", "decoder"])
def test_classes_are_no_tokens(family: str, tmp_path: Path) -> None:
    known = checked(tmp_path, {"input_ids": [5, 6, 2], "labels": 3}, family=family)
    assert known.unknown == {"train": 0.0}


def test_a_token_that_the_rules_use_for_the_unknown_counts_though_nobody_names_it(tmp_path: Path) -> None:
    known = checked(tmp_path, {"input_ids": [1, 3, 5, 2], "labels": 0}, without=("unk_token",))
    assert known.unknown == {"train": 0.5}


def test_an_end_token_that_is_called_unknown_is_none(tmp_path: Path) -> None:
    known = checked(tmp_path, {"input_ids": [5, 2], "labels": 0}, unk_token="</s>", family="decoder")
    assert known.unknown == {"train": 0.0}


def test_a_tokenizer_that_may_be_another_models_is_doubted(tmp_path: Path) -> None:
    [doubt] = checked(tmp_path / "small", rows=5000).warnings
    assert "5000 rows" in doubt
    [doubt] = checked(tmp_path / "other", eos_token="<s>").warnings
    assert doubt.startswith("eos_token is 1 in the tokenizer and 2 in the model's config.json")


def test_a_table_is_looked_at_as_a_list_is(tmp_path: Path) -> None:
    table = pa.table({"input_ids": pa.array([[1, 5, 3], [6, 2]], pa.list_(pa.int32())), "labels": [0, 1]})
    tokenizer = made(tmp_path, "encoder")
    known = check_tokens(
        {"train": Examples(table, ["input_ids", "labels"])}, tokenizer, tiny_config("encoder"), Family.encoder, ROWS
    )
    assert known.unknown == {"train": pytest.approx(1 / 3)}
