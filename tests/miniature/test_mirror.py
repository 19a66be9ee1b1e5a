"""The generated data looks like the hub's: files, columns, splits, labels; and it depends on the seed alone."""

import collections
import multiprocessing
import os
import pathlib
import subprocess
import sys

import pyarrow.parquet
import pytest

from bench.miniature import mirror as mirror_module
from bench.miniature.exam import exam_rows
from bench.miniature.glue import glue_rows
from bench.miniature.mirror import ensure_mirror, generator_fingerprint
from bench.miniature.schema import GLUE_LABELS, GLUE_TEXTS, exam_features

SUFFIX = "-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        return ensure_mirror()


def read(mirror: pathlib.Path, name: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pyarrow.parquet.read_table(mirror / f"{name}{SUFFIX}").to_pylist()
    return rows


def splits(mirror: pathlib.Path, repository: str) -> set[str]:
    return {path.name.removesuffix(SUFFIX) for path in (mirror / repository).glob("*.parquet")}


@pytest.mark.parametrize("task", GLUE_TEXTS)
def test_glue_has_the_hubs_splits_and_columns(mirror: pathlib.Path, task: str) -> None:
    from datasets import load_dataset

    expected = {"train", "validation", "test"}
    if task == "mnli":
        evaluation = {f"{split}_{genre}" for split in ("validation", "test") for genre in ("matched", "mismatched")}
        expected = {"train"} | evaluation
    assert splits(mirror, f"nyu-mll/glue/{task}") == expected
    files = {split: str(mirror / f"nyu-mll/glue/{task}/{split}{SUFFIX}") for split in expected}
    data = load_dataset("parquet", data_files=files, cache_dir=str(mirror.parent / "datasets"))
    features = data["train"].features
    assert list(features) == [*GLUE_TEXTS[task], "label", "idx"]
    assert features["idx"].dtype == "int32"
    names = GLUE_LABELS[task]
    if names is None:
        assert features["label"].dtype == "float32"
    else:
        assert features["label"].names == list(names)


@pytest.mark.parametrize("task", GLUE_TEXTS)
def test_glue_labels(mirror: pathlib.Path, task: str) -> None:
    for split in splits(mirror, f"nyu-mll/glue/{task}"):
        labels = [row["label"] for row in read(mirror, f"nyu-mll/glue/{task}/{split}")]
        names = GLUE_LABELS[task]
        if split.startswith("test"):
            assert set(labels) == {-1}
        elif names is None:
            assert {0.0, 5.0} <= set(labels)
        else:
            counts = collections.Counter(labels)
            assert set(counts) == set(range(len(names)))
            assert min(counts.values()) > 0.25 * len(labels), "no class is rare"


@pytest.mark.parametrize("task", GLUE_TEXTS)
def test_glue_splits_share_no_sentence(mirror: pathlib.Path, task: str) -> None:
    owner: dict[object, str] = {}
    for split in splits(mirror, f"nyu-mll/glue/{task}"):
        for row in read(mirror, f"nyu-mll/glue/{task}/{split}"):
            for text in GLUE_TEXTS[task]:
                assert owner.setdefault(row[text], split) == split


def test_mnli_mismatched_is_about_other_things(mirror: pathlib.Path) -> None:
    from bench.miniature.glue import MATCHED_KINDS
    from bench.miniature.lexicon import build_lexicon

    others = {
        form
        for noun in build_lexicon().nouns
        if noun.kind is not None and noun.kind >= MATCHED_KINDS
        for variant in noun.variants
        for form in variant
    }

    def mentions(split: str) -> float:
        rows = read(mirror, f"nyu-mll/glue/mnli/{split}")
        return sum(bool(others & set(str(row["premise"]).split())) for row in rows) / len(rows)

    assert mentions("train") == mentions("validation_matched") == 0
    assert mentions("validation_mismatched") > 0.7


def test_translation_schema(mirror: pathlib.Path) -> None:
    from datasets import Translation, load_dataset

    assert splits(mirror, "wmt/wmt16/ro-en") == {"train", "validation", "test"}
    files = str(mirror / f"wmt/wmt16/ro-en/test{SUFFIX}")
    data = load_dataset("parquet", data_files=files, split="train", cache_dir=str(mirror.parent / "datasets"))
    assert isinstance(data.features["translation"], Translation)
    assert set(data[0]["translation"]) == {"en", "ro"}
    sources = [
        {row["translation"]["en"] for row in read(mirror, f"wmt/wmt16/ro-en/{split}")}  # type: ignore[index]
        for split in ("train", "validation", "test")
    ]
    assert len(set.union(*sources)) == sum(len(each) for each in sources)


def test_exam_schema(mirror: pathlib.Path) -> None:
    from datasets import load_dataset

    assert splits(mirror, "cais/mmlu/all") == {"dev", "validation", "test"}
    files = str(mirror / f"cais/mmlu/all/test{SUFFIX}")
    data = load_dataset("parquet", data_files=files, split="train", cache_dir=str(mirror.parent / "datasets"))
    assert list(data.features) == ["question", "subject", "choices", "answer"]
    assert data.features["answer"].names == list("ABCD")
    dev = collections.Counter(row["subject"] for row in read(mirror, "cais/mmlu/all/dev"))
    assert sorted(dev.values()) == [5] * 6, "five shots for each subject"
    assert all(len(set(row["choices"])) == 4 for row in read(mirror, "cais/mmlu/all/test"))  # type: ignore[call-overload]
    answers = collections.Counter(row["answer"] for row in read(mirror, "cais/mmlu/all/test"))
    assert min(answers.values()) > 50, "all letters are right about equally often"


def test_alpaca_schema(mirror: pathlib.Path) -> None:
    assert splits(mirror, "tatsu-lab/alpaca/data") == {"train"}
    for row in read(mirror, "tatsu-lab/alpaca/data/train"):
        assert list(row) == ["instruction", "input", "output", "text"]
        assert str(row["text"]).startswith("Below is an instruction that describes a task")
        assert str(row["text"]).endswith(f"### Response:\n{row['output']}")
        assert f"### Instruction:\n{row['instruction']}\n\n" in str(row["text"])


def test_equal_seeds_give_equal_bytes_in_any_process(mirror: pathlib.Path, tmp_path: pathlib.Path) -> None:
    code = (
        "import pathlib, sys; from bench.miniature.mirror import write_mirror; write_mirror(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    files = sorted(path.relative_to(mirror) for path in mirror.rglob("*.parquet"))
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.parquet"))
    assert all((mirror / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


def test_another_seed_gives_another_language() -> None:
    first, second = (glue_rows(seed, "sst2")["validation"] for seed in (1, 2))
    assert {row["sentence"] for row in first}.isdisjoint(row["sentence"] for row in second)
    assert generator_fingerprint(1) != generator_fingerprint(2)


def _ensure(folder: str) -> str:
    os.environ["BENCH_CACHE"] = folder
    exams_only = [("exam.parquet", exam_rows(5)["test"], exam_features())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mirror_module, "tables", lambda seed: exams_only)
        return str(ensure_mirror(seed=5))


def test_concurrent_processes_agree_on_one_mirror(tmp_path: pathlib.Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        paths = pool.map(_ensure, [str(tmp_path)] * 4, chunksize=1)
    assert len(set(paths)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [pathlib.Path(paths[0]).name], "nothing is left behind"
    assert (pathlib.Path(paths[0]) / "exam.parquet").is_file()


@pytest.mark.parametrize("harm", ["changed", "gone", "more", "folder"])
def test_a_mirror_that_is_not_what_was_generated_is_made_anew(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    monkeypatch.setenv("BENCH_CACHE", "as before")  # put back afterwards
    made = pathlib.Path(_ensure(str(tmp_path)))
    whole = {file.name: file.read_bytes() for file in made.iterdir()}
    if harm == "changed":
        (made / "exam.parquet").write_bytes(whole["exam.parquet"].replace(b"PAR1", b"PAR2"))
    elif harm == "gone":
        (made / "exam.parquet").unlink()
    elif harm == "more":
        (made / "exam (1).parquet").write_bytes(b"")
    else:
        elsewhere = made.rename(tmp_path / "elsewhere")
        made.symlink_to(elsewhere)
        (elsewhere / "exam.parquet").unlink()
    assert _ensure(str(tmp_path)) == str(made)
    assert {file.name: file.read_bytes() for file in made.iterdir()} == whole
    assert harm != "folder" or (tmp_path / "elsewhere" / "sha256").is_file(), "what a link leads to is left alone"


def test_an_unwritable_cache_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    monkeypatch.setenv("BENCH_CACHE", str(blocker / "cache"))
    with pytest.raises(NotADirectoryError):
        ensure_mirror(seed=6)


def test_importing_the_mirror_is_light() -> None:
    code = (
        "import sys, bench.miniature.mirror, bench.miniature.backbones;"
        "print([name for name in ('torch', 'datasets') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "[]"
