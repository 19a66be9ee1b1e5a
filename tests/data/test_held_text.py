"""A text that the training has not: its windows, what the training has of it, and files that are none."""

import json

import pytest

from bench.data.held_text import RUN, read_held_text
from bench.errors import UserError
from bench.miniature.prompts import english_words
from bench.miniature.stream import stream
from bench.models.tokenizer import load_tokenizer
from tests.conftest import composed

WORDS = sorted(word for word in english_words() if word.isalpha())
NOTHING = [{"input_ids": [1] * 50}]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(composed("model=miniature/llama", "task=miniature/mmlu", "method=lora").base)


def line(at, count=20):
    return " ".join(stream(at, "held").choices(WORDS, k=count))


def written(folder, name, content):
    file = folder / name
    file.write_text(content, encoding="utf-8")
    return file


def test_a_text_is_cut_into_windows_and_every_token_but_the_first_is_predicted(tmp_path, tokenizer):
    text = " ".join(line(at) for at in range(10))
    held = read_held_text(written(tmp_path, "a.txt", text), "text", tokenizer, 32, NOTHING)
    bare = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert max(len(window["input_ids"]) for window in held.windows) == 32
    special = {*tokenizer.all_special_ids}
    assert {window["input_ids"][0] for window in held.windows} == {tokenizer.bos_token_id}
    assert [token for window in held.windows for token in window["input_ids"] if token not in special] == bare
    assert held.tokens == sum(len(window["input_ids"]) - 1 for window in held.windows)
    assert held.pieces == 1


def test_rows_of_a_jsonl_file_are_texts_of_their_own(tmp_path, tokenizer):
    rows = [{"body": line(at), "n": at} for at in range(10)] + [{"body": " ", "n": 0}]
    file = written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    held = read_held_text(file, "body", tokenizer, 1000, NOTHING)
    assert (len(held.windows), held.pieces) == (10, 10)


def test_the_training_has_a_line_that_a_row_of_it_contains_or_a_run_of_it(tmp_path, tokenizer):
    lines = [line(at) for at in range(10)] + [line(50, 8)]
    half = " ".join(lines[1].split()[: RUN + 3])
    train = [tokenizer(f"{WORDS[0]} {known} {WORDS[5]}")["input_ids"] for known in (lines[0], half, lines[10])]
    file = written(tmp_path, "a.txt", "\n".join(lines))
    held = read_held_text(file, "text", tokenizer, 64, [{"input_ids": tokens} for tokens in train])
    assert held.overlap == 3
    assert read_held_text(file, "text", tokenizer, 64, NOTHING).overlap == 0


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", "", "is empty"),
        ("a.txt", " \n \n", "has 0 tokens to predict; a perplexity needs 100 or more"),
        ("a.txt", line(0), "tokens to predict; a perplexity needs 100 or more"),
        ("a.csv", "text\nhello", "is neither .txt nor .jsonl"),
        ("a.jsonl", '{"body": "hello"}', "text"),
        ("a.jsonl", '{"text": 3}', "row 1: 'text' is no text"),
        ("a.jsonl", '{"text": "a"}\n{"other": "b"}', "row 2: 'text' is no text"),
        ("a.jsonl", "hello", "row 1"),
    ],
)
def test_files_that_are_no_such_text_are_refused_in_one_line(tmp_path, tokenizer, name, content, told):
    with pytest.raises(UserError) as error:
        read_held_text(written(tmp_path, name, content), "text", tokenizer, 128, NOTHING)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_utf8_and_what_is_no_file_is_refused(tmp_path, tokenizer):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9 " * 100)
    with pytest.raises(UserError, match="not UTF-8 at byte 3"):
        read_held_text(tmp_path / "a.txt", "text", tokenizer, 128, NOTHING)
    for missing in (tmp_path / "b.txt", tmp_path):
        with pytest.raises(UserError):
            read_held_text(missing, "text", tokenizer, 128, NOTHING)
