"""A mirror is read on one road: the folder that was named, as it is now."""

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.configuration.schema import DataConfig
from bench.data import content
from bench.data.source import locate
from bench.errors import UserError
from bench.identity.data import reading
from tests.glue import GLUE

Mirror = Callable[..., DataConfig]
RTE = "nyu-mll/glue/rte"
NAME = "train-00000-of-00001.parquet"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


def rows(count: int = 4, label: int = 0) -> list[dict[str, Any]]:
    return [{"sentence1": f"A {index}.", "sentence2": "B.", "label": label} for index in range(count)]


def read(data: DataConfig | Path) -> list[dict[str, Any]]:
    config = data if isinstance(data, DataConfig) else DataConfig(root=str(data), any_size=True)
    found: list[dict[str, Any]] = locate(GLUE["rte"], "train", config).rows().to_pylist()
    return found


def put(folder: Path, name: str, file: bytes | Callable[[Path], object]) -> Path:
    path = folder / RTE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if callable(file):
        file(path)
    else:
        path.write_bytes(file)
    return path


def parquet(path: Path, given: list[dict[str, Any]] | pa.Table) -> None:
    pa.parquet.write_table(given if isinstance(given, pa.Table) else pa.Table.from_pylist(given), path)


@pytest.mark.parametrize("odd", ["mirror [1]", "m*", "m?", "{a,b}", "[!x]", "100%", "a#b", "~", "ä b"])
def test_the_root_is_a_path_and_no_pattern(tmp_path: Path, odd: str) -> None:
    put(tmp_path / odd, NAME, lambda path: parquet(path, rows(3)))
    for other in ("mirror 1", "mm", "m1", "a", "b", "y"):
        put(tmp_path / other, NAME, lambda path: parquet(path, rows(9)))
    assert len(read(tmp_path / odd)) == 3


def test_relative_roots_and_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "data", NAME, lambda path: parquet(path, rows(3)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for root in ("data", "./data/../data", "~/data"):
        assert len(read(DataConfig(root=root, any_size=True))) == 3


@pytest.mark.parametrize(
    "root", ["", "/nowhere/at/all", "~nobody-of-that-name/x", "s3://bucket/data", "x" * 5000, "a\0b"]
)
def test_a_root_that_is_no_folder(root: str) -> None:
    with pytest.raises(UserError, match=r"^data\.root="):
        read(DataConfig(root=root, any_size=True))


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_file_that_was_replaced_is_read_anew_whatever_its_time_says(mirror: Mirror, kind: str) -> None:
    data = mirror(RTE, "train", rows(label=0), kind)
    file = next(Path(str(data.root)).rglob("train*"))
    before, size = file.stat().st_mtime_ns, file.stat().st_size
    first = locate(GLUE["rte"], "train", data)
    assert {row["label"] for row in first.rows().to_pylist()} == {0}
    mirror(RTE, "train", rows(label=1), kind)
    os.utime(file, ns=(before, before))
    assert kind == "parquet" or file.stat().st_size == size
    second = locate(GLUE["rte"], "train", data)
    assert {row["label"] for row in second.rows().to_pylist()} == {1}
    assert second.fingerprint != first.fingerprint


def test_a_file_that_changes_between_finding_and_reading_is_said(mirror: Mirror) -> None:
    found = locate(GLUE["rte"], "train", mirror(RTE, "train", rows(), "jsonl"))
    mirror(RTE, "train", rows(label=1), "jsonl")
    with pytest.raises(UserError, match=r"train\.jsonl is being changed while it is read"):
        found.rows()


def test_every_split_that_is_found_is_noted_with_its_files(mirror: Mirror) -> None:
    mirror(RTE, "validation", rows(2), "jsonl")
    data = mirror(RTE, "train", rows())
    with reading() as noted:
        for split in ("train", "validation"):
            locate(GLUE["rte"], split, data)
    assert {name: one["files"] for name, one in noted.items()} == {
        f"{RTE}/train": [f"{RTE}/{NAME}"], f"{RTE}/validation": [f"{RTE}/validation.jsonl"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file", "said"),
    [
        (NAME, POINTER, "is a Git LFS pointer"),
        ("train.jsonl", POINTER, "is a Git LFS pointer"),
        (NAME, b"", "is empty"),
        ("train.jsonl", b"", "is empty"),
        (NAME, b"PAR1 and no more", "is cut off"),
        (NAME, b"PAR1" + bytes(20) + b"PAR1", "is damaged"),
        (NAME, b'{"label": 0}', "is not a parquet file"),
        (NAME, b"<!DOCTYPE html>", "is a web page"),
        ("train.jsonl", gzip.compress(b"{}"), "is compressed by gzip"),
        ("train.jsonl", b"PAR1 PAR1", r"is a parquet file; its name has to end in \.parquet"),
        ("train.jsonl", "{}".encode("utf-16"), "is UTF-16"),
        (NAME, lambda path: path.symlink_to(path.name), "symbolic links"),
        ("train.jsonl", lambda path: path.symlink_to("blob"), "is a symbolic link to blob, which is not there"),
        (NAME, Path.mkdir, "is a folder"),
        (NAME, os.mkfifo, "is a pipe"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # the bytes of gzip have the time in them
)
def test_what_lies_in_a_data_files_place_is_called_by_its_name(
    tmp_path: Path, name: str, file: bytes | Callable[[Path], object], said: str
) -> None:
    path = put(tmp_path, name, file)
    with pytest.raises(UserError, match=said) as refused:
        read(tmp_path)
    assert str(path) in str(refused.value)
    assert "pickle" not in str(refused.value)


def test_a_link_to_a_file_is_as_good_as_the_file(tmp_path: Path) -> None:
    parquet(tmp_path / "blob", rows(3))
    put(tmp_path, NAME, lambda path: path.symlink_to(tmp_path / "blob"))
    assert len(read(tmp_path)) == 3


def test_files_and_folders_that_may_not_be_read(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    data = mirror(RTE, "train", rows())

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(content, "_check_is_file", refuse)
        with pytest.raises(UserError, match=r"cannot read .*train-.*: Permission denied"):
            read(data)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match=r"cannot look into .*rte: Permission denied"):
        read(data)


def test_the_same_rows_under_two_numbers_are_a_copy(tmp_path: Path) -> None:
    for index in range(2):
        put(tmp_path, f"train-0000{index}-of-00002.parquet", lambda path: parquet(path, rows()))
    with pytest.raises(UserError, match=r"train-00000-of-00002.parquet and train-00001-of-00002.parquet hold the same"):
        read(tmp_path)


@pytest.mark.parametrize("second", [f"data/{NAME}", "../../../RTE/train.tsv"])
def test_a_split_in_two_places_is_none(tmp_path: Path, second: str) -> None:
    for name in (NAME, second):
        path = tmp_path / RTE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet(path, rows())
    with pytest.raises(UserError, match="both claim to be the split train"):
        read(tmp_path)


def test_a_missing_split_is_told_with_what_is_there_instead(tmp_path: Path) -> None:
    put(tmp_path, "train.jsonl.gz", b"")
    with pytest.raises(UserError, match=r"the split train is missing.*; there are train\.jsonl\.gz"):
        read(tmp_path)


def test_a_cache_that_cannot_hold_the_miniature_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UserError, match=r"cannot keep the miniature's data .*; BENCH_CACHE=FOLDER names another"):
        locate(GLUE["rte"], "train", DataConfig(), miniature=True)


def test_a_folder_called_like_a_repository_is_not_read_in_the_hubs_place(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(mirror(RTE, "train", rows()).root))
    with pytest.raises(UserError, match=r"nyu-mll/glue would be taken for the hub's.*data\.root=\."):
        read(DataConfig())


WHOLE = {
    "train.jsonl": "".join(json.dumps(row) + "\n" for row in rows()).encode(),
    "../../../RTE/train.tsv": b"index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\tc\td\tnot_entailment\n",
}


@given(
    name=st.sampled_from([NAME, *WHOLE]),
    changes=st.lists(
        st.tuples(st.integers(0, 10**4), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=5
    ),
)
@example(name="train.jsonl", changes=[(0, b"[" * 10**5, 0)])  # brackets beyond any depth
@example(name="train.jsonl", changes=[(0, b'{"label":' + b"1" * 5000 + b"}\n", 0)])  # more digits than Python reads
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(
    tmp_path: Path, name: str, changes: list[tuple[int, bytes, int]]
) -> None:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}" / RTE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name == NAME:
        parquet(path, rows())
    whole = path.read_bytes() if name == NAME else WHOLE[name]
    for place, piece, length in changes:
        begin = place % (len(whole) + 1)
        whole = whole[:begin] + piece + whole[begin + length :]
    path.write_bytes(whole)
    root = next(folder for folder in path.resolve().parents if folder.parent == tmp_path.resolve())
    refusal = None
    try:
        found = read(root)
    except UserError as error:
        found, refusal = [], str(error)
    assert found or (refusal is not None and path.name in refusal and "\n" not in refusal)


@pytest.mark.parametrize(("subset", "split"), [("../..", "train"), ("rte", "../train"), ("a/b", "train"), ("rte", "")])
def test_no_name_of_a_task_leads_out_of_the_mirror(tmp_path: Path, subset: str, split: str) -> None:
    data = DataConfig(root=str(tmp_path), any_size=True)
    with pytest.raises(UserError, match=r"(subset|split|data set)="):
        locate(replace(GLUE["rte"], subset=subset), split, data)
