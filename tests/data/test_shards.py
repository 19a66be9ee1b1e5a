"""Which files hold a split: all that its names promise, none twice, and nobody else's."""

from pathlib import Path

import pytest

from bench.data.shards import shards_in
from bench.errors import UserError

ONE = "train-00000-of-00001"
HASHED = f"{ONE}-8aa8c3d9a39e7cc0.parquet"


def names(folder: Path, *files: str, split: str = "train") -> list[str]:
    for file in files:
        (folder / file).write_text(file)
    return [file.name for file in shards_in(folder, split)]


@pytest.mark.parametrize(
    "files",
    [
        ("train.jsonl",),
        ("train-00000-of-00001.parquet",),
        ("train-00000-of-00001-8aa8c3d9a39e7cc0.parquet",),
        ("train-00000-of-00002-8aa8c3d9a39e7cc0.parquet", "train-00001-of-00002-0123456789abcdef.parquet"),
        ("train-0.parquet", "train-1.parquet"),
        ("train-1.jsonl", "train-2.jsonl", "train-3.jsonl"),
    ],
)
def test_the_hubs_names_and_plain_ones(tmp_path: Path, files: tuple[str, ...]) -> None:
    assert names(tmp_path, *files) == list(files)


def test_files_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert names(tmp_path, *(f"train-{index}.jsonl" for index in range(11))) == [
        f"train-{index}.jsonl" for index in range(11)
    ]


def test_other_splits_and_what_nobody_takes_for_data_are_passed_over(tmp_path: Path) -> None:
    others = ("train_extra-00000-of-00001.parquet", "train.v2.parquet", "training.parquet", "validation.parquet")
    rubbish = ("._train-00000-of-00001.parquet", "train.parquet~", "train.parquet.bak", "Copy of train.parquet")
    assert names(tmp_path, "train.parquet", *others, *rubbish) == ["train.parquet"]
    assert names(tmp_path, split="train_extra") == ["train_extra-00000-of-00001.parquet"]
    assert names(tmp_path, split="test") == []


def test_a_splits_name_is_no_pattern(tmp_path: Path) -> None:
    assert names(tmp_path, "train.parquet", split="tr*") == []
    assert names(tmp_path, split="....") == []
    assert names(tmp_path, "tr[a-z].parquet", split="tr[a-z]") == ["tr[a-z].parquet"]


@pytest.mark.parametrize(
    "stranger",
    [
        "train-00000-of-00001 (1).parquet", "train-00000-of-00001-copy.parquet", "train-00000-of-00001 copy 2.parquet",
        "train-00000-of-00001 - Kopie.parquet", "train (1).jsonl", "train-extra.jsonl", "train-00000-of-.parquet",
        "train-00000-of-00001.parquet.parquet",
    ],
)  # fmt: skip
def test_a_file_that_is_no_shard_is_named(tmp_path: Path, stranger: str) -> None:
    with pytest.raises(UserError) as refused:
        names(tmp_path, "train-00000-of-00001.parquet", stranger)
    assert str(tmp_path / stranger) in str(refused.value)
    assert "no shard of the split train" in str(refused.value)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ((HASHED, f"{ONE}-0123456789abcdef.parquet"), "of two revisions; keep one"),
        ((HASHED, f"{ONE}.parquet"), "of two revisions"),
        ((f"{ONE}.parquet", f"{ONE}.jsonl"), "both claim to be the split train; keep one"),
        (("train.parquet", "train.jsonl"), "both claim"),
        (("train.parquet", f"{ONE}.parquet"), "both claim"),
        (("train.parquet", "train-0.parquet"), "both claim"),
        ((f"{ONE}.parquet", "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"), "both claim"),
    ],
)
def test_of_two_that_claim_the_same_both_are_named(tmp_path: Path, files: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        names(tmp_path, *files)
    assert all(file in str(refused.value) for file in sorted(files)[:2])


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("train-00000-of-00002.parquet",), "1 of the 2 files of the split train is missing: train-00001-of-00002.par"),
        (("train-00001-of-00002.jsonl",), "is missing: train-00000-of-00002.jsonl"),
        ((HASHED.replace("1-8", "3-8"),), "2 of the 3 .* are missing: train-00001-of-00003.*, train-00002-of-00003"),
        (("train-00007-of-99999.parquet",), r"99998 of the 99999 files .* train-00002-of-99999.parquet, …$"),
        (("train-0.parquet", "train-2.parquet"), "1 of the 3 files .* train-1.parquet"),
        (("train-00002-of-00002.parquet",), "train-00002-of-00002.parquet: there is no shard of that number"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, files: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        names(tmp_path, *files)
    assert str(tmp_path) in str(refused.value)
    assert "pickle" not in str(refused.value)
