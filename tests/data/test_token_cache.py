"""Tokenised data are made once, keyed by all that decides them, and shared safely."""

import importlib
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig, Family
from bench.data import token_cache
from bench.data.example import Examples
from bench.errors import UserError
from bench.system.cache import cache_folder
from bench.tasks.glue import Glue
from tests.tokens import LETTERS, made

Mirror = Callable[..., DataConfig]
ROWS = [{"sentence": f"Sentence number {i}.", "label": i % 2} for i in range(7)]


def cola(mirror: Mirror) -> tuple[Glue, DataConfig]:
    mirror("nyu-mll/glue/cola", "validation", ROWS)
    return Glue(name="glue/cola", title="CoLA", subset="cola"), mirror("nyu-mll/glue/cola", "train", ROWS)


def files() -> set[Path]:
    return set((cache_folder() / "tokens").glob("*"))


def test_a_second_load_tokenises_nothing_and_gives_the_same(
    mirror: Mirror, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, data = cola(mirror)
    first = list(task.load(tokenizer, 16, data).train)
    monkeypatch.setattr(token_cache, "encode", None)
    monkeypatch.setattr("bench.tasks.text_task.encode", None)
    assert list(task.load(tokenizer, 16, data).train) == first
    assert all(file.suffix == ".tokens" for file in files())  # nothing half-written is left


def test_what_decides_the_tokens_decides_the_name(mirror: Mirror, tokenizer: PreTrainedTokenizerBase) -> None:
    task, data = cola(mirror)
    task.load(tokenizer, 16, data)
    known = files()
    task.load(tokenizer, 16, data)
    assert files() == known
    task.load(tokenizer, 8, data)  # the length
    assert len(files()) > len(known)
    known = files()
    mirror("nyu-mll/glue/cola", "train", [*ROWS, {"sentence": "Another.", "label": 1}])  # the content
    assert len(task.load(tokenizer, 16, data).train) == 8
    assert len(files()) == len(known) + 1
    known = files()
    assert len(task.load(tokenizer, 16, DataConfig(data.root, limit_train=3, any_size=True)).train) == 3
    assert len(files()) == len(known) + 1


def test_a_tokenizers_last_use_does_not_matter(tokenizer: PreTrainedTokenizerBase) -> None:
    before = token_cache.tokenizer_fingerprint(tokenizer)
    tokenizer(["a b c"], truncation=True, max_length=3, padding="max_length")
    assert token_cache.tokenizer_fingerprint(tokenizer) == before


@pytest.mark.parametrize(
    "other",
    [
        {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]},
        {"truncation_side": "left"},
        {"eos_token": "<s>"},
        {"extra_special_tokens": ["[NEW]"]},
        {"single": "<s> $A </s>"},
        {"pair": "<s> $A $B </s>"},
        {"words": LETTERS[:-1]},
        {"pattern": None},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_tokenizer_that_differs_in_anything_has_a_cache_of_its_own(other: dict[str, Any], tmp_path: Path) -> None:
    plain = token_cache.tokenizer_fingerprint(made(tmp_path / "plain"))
    assert token_cache.tokenizer_fingerprint(made(tmp_path / "elsewhere")) == plain
    assert token_cache.tokenizer_fingerprint(made(tmp_path / "other", **other)) != plain


def test_a_task_of_ones_own_has_a_cache_of_its_own(
    mirror: Mirror, tokenizer: PreTrainedTokenizerBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, data = cola(mirror)
    task.load(tokenizer, 16, data)
    known = files()
    monkeypatch.syspath_prepend(tmp_path)
    for version in ("0", "12"):
        (tmp_path / "own_cola.py").write_text(
            f"import bench.tasks.classification as form\nclass Own(form.Classification):\n    version = {version}\n"
        )
        importlib.invalidate_caches()
        sys.modules.pop("own_cola", None)
        declared = task.declared
        own = (
            importlib.import_module("own_cola")
            .Own(name="own", title="", data=declared.data, text=declared.text, label="label", labels=declared.labels)
            .on(Family.encoder)
        )
        own.load(tokenizer, 16, data)
        assert len(files()) == len(known) + 2
        known = files()


def test_a_damaged_file_is_made_anew(mirror: Mirror, tokenizer: PreTrainedTokenizerBase) -> None:
    task, data = cola(mirror)
    first = list(task.load(tokenizer, 16, data).train)
    whole = {file: file.read_bytes() for file in files()}
    for damage in (
        lambda content: b"ARROW1 but not really",
        lambda content: b"",
        lambda content: content[:-100],
        lambda content: content[:300] + bytes([content[300] ^ 1]) + content[301:],  # one bit
        lambda content: content + b"more",
    ):
        for file, content in whole.items():
            file.write_bytes(damage(content))
        assert list(task.load(tokenizer, 16, data).train) == first
        assert {file: file.read_bytes() for file in files()} == whole


def test_a_file_that_was_made_of_something_else_is_made_anew() -> None:
    mine = pa.table({"a": [1]})
    token_cache.cached(["mine"], lambda: mine)
    (file,) = files()
    token_cache.cached(["other"], lambda: pa.table({"a": [2]}))
    (other,) = files() - {file}
    other.replace(file)  # as a copy under the wrong name
    assert token_cache.cached(["mine"], lambda: mine).equals(mine)
    file.unlink()
    file.symlink_to(file.name)
    assert token_cache.cached(["mine"], lambda: mine).equals(mine)
    file.unlink()
    os.mkfifo(file)
    assert token_cache.cached(["mine"], lambda: mine).equals(mine)


def test_what_was_kept_for_one_reader_saves_no_other_from_its_checks(
    mirror: Mirror, tokenizer: PreTrainedTokenizerBase
) -> None:
    task, data = cola(mirror)
    task.load(tokenizer, 16, data)
    with pytest.raises(UserError, match="7 rows instead of the published 8551"):
        task.load(tokenizer, 16, DataConfig(data.root))


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="BENCH_CACHE=FOLDER names another"):
        token_cache.cached(["key"], lambda: pa.table({"a": [1]}))


def _build(_: int) -> list[int]:
    table = token_cache.cached(["shared"], lambda: pa.table({"a": np.arange(50_000)}))
    values: list[int] = table.column("a").to_pylist()
    return values[-2:]


def test_processes_share_it_without_harm() -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(_build, range(8)) == [[49_998, 49_999]] * 8
    assert len(files()) == 1


def test_examples_are_read_from_the_table_like_a_list() -> None:
    table = pa.table({"input_ids": [[1, 2], [], [3, 4, 5]], "labels": [0, 1, 1]}).slice(1)
    examples = Examples(table, ["input_ids", "labels"])
    assert list(examples) == [{"input_ids": [], "labels": 1}, {"input_ids": [3, 4, 5], "labels": 1}]
    assert examples[-1] == examples[1]
    assert examples[0:1] == [examples[0]]
    with pytest.raises(IndexError):
        examples[2]
