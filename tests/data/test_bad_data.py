"""Data that are not what they should be: one clear line with file and row, and nothing is kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from transformers import PreTrainedTokenizerBase

from bench.configuration.schema import DataConfig
from bench.data.published import ALPACA, MMLU, Published
from bench.data.source import locate
from bench.errors import UserError
from bench.system.cache import cache_folder
from bench.tasks.glue import Glue
from bench.tasks.wmt16 import Wmt16
from tests.glue import GLUE

Mirror = Callable[..., DataConfig]
GOOD = {"sentence1": "A.", "sentence2": "B.", "label": 0}
QUESTION = {"question": "Q?", "subject": "s", "choices": ["a", "b", "c", "d"], "answer": 0}


def read(mirror: Mirror, rows: list[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, kind: str = "parquet") -> None:
    mirror("nyu-mll/glue/rte", "validation", [GOOD], kind)
    data = mirror("nyu-mll/glue/rte", "train", rows, kind)
    Glue(name="glue/rte", title="RTE", subset="rte").load(tokenizer, 16, data)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"label": 7}, r"train.*row 3: label is 7, which is none of 0 \(entailment\), 1 \(not_entailment\)"),
        ({"label": -1}, r"row 3: label is -1, .* marks a row whose label is not public"),
        ({"label": None}, r"row 3: label is missing; it has to be one of 0 \(entailment\)"),
        ({"sentence2": None}, r"row 3: sentence2 is missing"),
    ],
)
def test_a_bad_value_is_named_with_file_and_row(
    kind: str, bad: dict[str, Any], message: str, mirror: Mirror, tokenizer: PreTrainedTokenizerBase
) -> None:
    with pytest.raises(UserError, match=message):
        read(mirror, [GOOD, GOOD, GOOD | bad], tokenizer, kind)
    assert not (cache_folder() / "tokens").exists()


def test_missing_column(mirror: Mirror, tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError, match=r"the column sentence2 is missing; it has sentence1, label"):
        read(mirror, [{"sentence1": "A.", "label": 0}], tokenizer)


def test_missing_split_and_missing_folder(mirror: Mirror, tokenizer: PreTrainedTokenizerBase) -> None:
    data = mirror("nyu-mll/glue/rte", "train", [GOOD])
    with pytest.raises(UserError, match="the split validation is missing"):
        Glue(name="glue/rte", title="RTE", subset="rte").load(tokenizer, 16, data)
    with pytest.raises(UserError, match="no such folder"):
        Glue(name="glue/rte", title="RTE", subset="rte").load(tokenizer, 16, DataConfig(root="/nowhere/at/all"))


def test_empty_split(mirror: Mirror, tokenizer: PreTrainedTokenizerBase) -> None:
    mirror("nyu-mll/glue/rte", "validation", [GOOD])
    data = mirror("nyu-mll/glue/rte", "train", [GOOD])
    schema = pa.schema([("sentence1", pa.string()), ("sentence2", pa.string()), ("label", pa.int64())])
    file = next(Path(str(data.root)).rglob("train-*.parquet"))
    pa.parquet.write_table(schema.empty_table(), file)
    with pytest.raises(UserError, match="there are no rows"):
        Glue(name="glue/rte", title="RTE", subset="rte").load(tokenizer, 16, data)


def test_another_label_set(tmp_path: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    names = ClassLabel(names=["not_entailment", "entailment"])
    features = Features({"sentence1": Value("string"), "sentence2": Value("string"), "label": names})
    folder = tmp_path / "nyu-mll/glue/rte"
    folder.mkdir(parents=True)
    for split in ("train", "validation"):
        Dataset.from_list([GOOD], features=features).to_parquet(folder / f"{split}-00000-of-00001.parquet")
    with pytest.raises(UserError, match=r"the labels of label are \['not_entailment', 'entailment'\] instead of"):
        Glue(name="glue/rte", title="RTE", subset="rte").load(
            tokenizer, 16, DataConfig(root=str(tmp_path), any_size=True)
        )


def test_bytes_that_are_not_utf8(mirror: Mirror, tokenizer: PreTrainedTokenizerBase) -> None:
    mirror("nyu-mll/glue/rte", "validation", [GOOD])
    data = mirror("nyu-mll/glue/rte", "train", [GOOD])
    file = next(Path(str(data.root)).rglob("train-*.parquet"))
    raw = pa.array([b"fine", b"caf\xe9"], pa.binary())
    texts = pa.StringArray.from_buffers(2, *raw.buffers()[1:])
    pa.parquet.write_table(pa.table({"sentence1": texts, "sentence2": ["a", "b"], "label": [0, 1]}), file)
    with pytest.raises(UserError, match=r"train-.*parquet, row 2: sentence1 is not UTF-8"):
        Glue(name="glue/rte", title="RTE", subset="rte").load(tokenizer, 16, data)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nyu-mll/glue/rte/train.jsonl", b'{"sentence1": "caf\xe9"}\n', r"train.jsonl, row 1: not UTF-8"),
        ("nyu-mll/glue/rte/train.jsonl", b"{}\n{\n", r"train.jsonl, row 2: not JSON"),
        ("nyu-mll/glue/rte/train.jsonl", b"\n\n{\n", r"train.jsonl, row 3: not JSON"),
        ("nyu-mll/glue/rte/train.jsonl", b'[{"label": 0}]\n', r"row 1: not an object with columns"),
        (
            "nyu-mll/glue/rte/train.jsonl",
            b'{"label": 0, "label": 1}\n',
            r"row 1: not JSON: the key 'label' is there twice",
        ),
        (
            "nyu-mll/glue/rte/train.jsonl",
            b'{"label": 0}\n',
            r"train.jsonl: the column sentence1 is missing; it has label",
        ),
        ("nyu-mll/glue/rte/train.jsonl", b"\n \n", r"train.jsonl: there are no rows"),
        ("RTE/train.tsv", b"index\tsentence1\tsentence2\tlabel\n0\ta\tb\tmaybe\n", r"train.tsv, row 2: label 'maybe'"),
        ("RTE/train.tsv", b"index\tsentence1\tlabel\n", r"the column sentence2 is missing"),
        ("RTE/train.tsv", b"index\tsentence1\tsentence2\tlabel\n\n0\ta\n", r"row 3: 2 fields, too few"),
        (
            "RTE/train.tsv",
            b"index\tsentence1\tsentence2\tlabel\n0\ta\tx\tb\tentailment\n",
            r"row 2: 5 fields, too many; there are 4 columns",
        ),
        ("RTE/train.tsv", b"sentence1\tsentence1\tsentence2\tlabel\n", r"the column sentence1 is there twice"),
        ("RTE/train.tsv", b"index\tsentence1\tsentence2\tlabel\n", r"train.tsv: there are no rows"),
        ("RTE/train.tsv", b"", r"train.tsv is empty"),
        ("RTE/train.tsv", b"index\tsentence1\tsentence2\tlabel\n0\tcaf\xe9\tb\tentailment\n", r"row 2: not UTF-8"),
    ],
)
def test_broken_text_files(
    name: str, content: bytes, message: str, tmp_path: Path, tokenizer: PreTrainedTokenizerBase
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    dev = file.with_name(file.name.replace("train", "dev" if file.suffix == ".tsv" else "validation"))
    dev.write_bytes(content)
    with pytest.raises(UserError, match=message):
        Glue(name="glue/rte", title="RTE", subset="rte").load(
            tokenizer, 16, DataConfig(root=str(tmp_path), any_size=True)
        )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"sentence1": 17}, r"train.jsonl, row 3: sentence1 is 17 instead of text"),
        ({"sentence1": "half \ud83d"}, r"row 3: sentence1 has half a character, \\ud83d, as its character 6"),
        ({"sentence1": ["a"]}, r"row 3: sentence1 is \['a'\] instead of text"),
        ({"label": 1.5}, r"row 3: label is 1.5, which is none of"),
        ({"label": True}, r"row 3: label is True, which is none of"),
        ({"label": "entailment"}, r"row 3: label is 'entailment', which is none of"),
        ({"label": 10**30}, r"row 3: label is 10+, which is none of"),
    ],
)
def test_values_of_another_type_among_json_lines(bad: dict[str, Any], message: str, mirror: Mirror) -> None:
    with pytest.raises(UserError, match=message):
        locate(GLUE["rte"], "train", mirror("nyu-mll/glue/rte", "train", [GOOD, GOOD, GOOD | bad], "jsonl")).rows()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("label", pa.array([0.5, 1.0]), "row 1: label is 0.5, which is none of"),
        ("label", pa.array([None, None], pa.null()), "row 1: label is missing"),
        ("sentence1", pa.array([b"a", b"b"]), "row 1: sentence1 is b'a' instead of text"),
        ("sentence1", pa.array(["", " "]), "train-.*: sentence1 is empty in every row"),
    ],
)
def test_columns_of_another_type(column: str, values: pa.Array, message: str, mirror: Mirror) -> None:
    data = mirror("nyu-mll/glue/rte", "train", [])
    table = pa.Table.from_pylist([GOOD, GOOD])
    table = table.set_column(table.schema.get_field_index(column), column, values)
    pa.parquet.write_table(table, next(Path(str(data.root)).rglob("train-*.parquet")))
    with pytest.raises(UserError, match=message):
        locate(GLUE["rte"], "train", data).rows()


def test_other_forms_of_the_right_values_are_taken(mirror: Mirror) -> None:
    data = mirror("nyu-mll/glue/rte", "train", [])
    texts = pa.array(["A.", "B."])
    columns = [texts.dictionary_encode(), texts.cast(pa.large_string()), pa.array([0, 1], pa.uint8())]
    file = next(Path(str(data.root)).rglob("train-*.parquet"))
    pa.parquet.write_table(pa.table(columns, ["sentence1", "sentence2", "label"]), file)
    rows = locate(GLUE["rte"], "train", data).rows()
    assert rows.to_pylist() == [
        {"sentence1": text, "sentence2": text, "label": n} for n, text in enumerate(("A.", "B."))
    ]
    assert rows.schema.types == [pa.string(), pa.string(), pa.int64()]


def test_two_columns_of_one_name(mirror: Mirror) -> None:
    data = mirror("nyu-mll/glue/rte", "train", [])
    file = next(Path(str(data.root)).rglob("train-*.parquet"))
    pa.parquet.write_table(pa.table([["a"], ["b"], [0], [1]], ["sentence1", "sentence2", "label", "label"]), file)
    with pytest.raises(UserError, match=r"train-.*parquet: the column label is there twice"):
        locate(GLUE["rte"], "train", data).rows()


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_text_files_as_editors_leave_them(ending: bytes, tmp_path: Path) -> None:
    """A mark at the beginning, blank lines, either end of line; quotes and odd separators are text."""
    said = 'He "said.\u2028\x0b'
    tsv = [b"\xef\xbb\xbfindex\tsentence1\tsentence2\tlabel", f"0\t{said}\tB.\tentailment".encode(), b"", b""]
    jsonl = [b"\xef\xbb\xbf", json.dumps({**GOOD, "sentence1": said, "other": 1}, ensure_ascii=False).encode(), b" "]
    for name, lines in (("RTE/dev.tsv", tsv), ("nyu-mll/glue/rte/train.jsonl", jsonl)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(ending.join(lines))
    for split in ("train", "validation"):
        rows = locate(GLUE["rte"], split, DataConfig(root=str(tmp_path), any_size=True)).rows()
        assert rows.to_pylist() == [{**GOOD, "sentence1": said}]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"answer": 4}, r"row 2: answer is 4, which is none of 0 \(A\), 1 \(B\), 2 \(C\), 3 \(D\)"),
        ({"answer": -1}, r"row 2: answer is -1, .* marks a row whose label is not public"),
        ({"choices": ["a", "b", "c"]}, r"row 2: choices has 3 texts instead of 4"),
        ({"choices": ["a", None, "c", "d"]}, r"row 2: choices has a text 2 that is missing"),
    ],
)
def test_mmlu_questions(bad: dict[str, Any], message: str, mirror: Mirror) -> None:
    data = mirror("cais/mmlu/all", "dev", [QUESTION, QUESTION | bad])
    with pytest.raises(UserError, match=message):
        locate(MMLU, "dev", data).rows()


def translations() -> Published:
    task = Wmt16(name="wmt16", title="", subset="ro-en", source="en", target="ro", prefix="", train_split="train",
                 beams=1, max_new_tokens=1)  # fmt: skip
    return task.sources()[0][0]


def test_a_translation_without_one_language(mirror: Mirror) -> None:
    data = mirror("wmt/wmt16/ro-en", "train", [{"translation": {"en": "a", "de": "b"}}])
    with pytest.raises(UserError, match="translation has no field ro"):
        locate(translations(), "train", data).rows()


def test_splits_without_anything_to_score_or_to_learn(mirror: Mirror) -> None:
    data = mirror("wmt/wmt16/ro-en", "test", [{"translation": {"en": "a", "ro": ""}}] * 2)
    with pytest.raises(UserError, match=r"test-.*: translation in its field ro is empty in every row"):
        locate(translations(), "test", data).rows()
    answered = [{"instruction": "Do.", "input": "", "output": output} for output in ("", "Done.")]
    assert len(locate(ALPACA, "train", mirror("tatsu-lab/alpaca/data", "train", answered)).rows()) == 2
    with pytest.raises(UserError, match=r"train-.*: output is empty in every row"):
        locate(ALPACA, "train", mirror("tatsu-lab/alpaca/data", "train", answered[:1])).rows()
    data = mirror("nyu-mll/glue/stsb", "test", [{"sentence1": "a", "sentence2": "b", "label": -1.0}])
    with pytest.raises(UserError, match=r"row 1: label is -1, .*such a split cannot be used"):
        locate(GLUE["stsb"], "test", data).rows()


def test_the_row_is_counted_in_its_own_file(mirror: Mirror) -> None:
    data = mirror("nyu-mll/glue/rte", "train", [GOOD, GOOD])
    first = next(Path(str(data.root)).rglob("train-*.parquet"))
    second = first.with_name("train-00001-of-00002.parquet")
    first.rename(first.with_name("train-00000-of-00002.parquet"))
    pa.parquet.write_table(pa.Table.from_pylist([GOOD, GOOD | {"label": 9}]), second)
    with pytest.raises(UserError, match=r"train-00001-of-00002.parquet, row 2: label is 9"):
        locate(GLUE["rte"], "train", data).rows()


def test_the_command_line_says_it_in_one_line_and_leaves_no_record(
    bench: Callable[..., Any], mirror: Mirror, tmp_path: Path
) -> None:
    mirror("nyu-mll/glue/rte", "validation", [GOOD])
    data = mirror("nyu-mll/glue/rte", "train", [GOOD, GOOD | {"label": 7}])
    ended = bench("run", "task=glue/rte", f"data.root={data.root}", "data.any_size=true")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "row 2: label is 7" in ended.stderr
    assert not list(tmp_path.rglob("record.json"))
