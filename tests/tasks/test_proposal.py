"""The first ten minutes with a file of one's own: what is proposed, what is assumed aloud, what is refused."""

import json
from pathlib import Path

import pytest
import yaml

from bench.errors import UserError
from bench.tasks.build import task_from
from bench.tasks.proposal import propose


def written(folder: Path, text: str, name: str = "rows.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def proposed(folder: Path, text: str, name: str = "rows.csv"):
    found = propose(written(folder, text, name), name)
    assert task_from(yaml.safe_load(found.yaml())).name == found.config["name"]
    return found.config


REVIEWS = "id,review,stars\n" + "".join(f"{n},what a film number {n},{'good' if n % 2 else 'bad'}\n" for n in range(8))


def test_text_label_and_metrics_are_found_and_said(tmp_path):
    found = propose(written(tmp_path, REVIEWS), "rows.csv")
    config = found.config
    assert (config["form"], config["text"], config["label"], config["labels"]) == (
        "classification", "review", "stars", ["bad", "good"],
    )  # fmt: skip
    assert config["metrics"] == ["accuracy", "f1"]
    assert config["data"] == {"files": "rows.csv", "holdout": 0.1}
    said = "\n".join(found.assumed)
    assert "not used: id" in said
    assert "good 50%" in said
    assert said.splitlines()[0] in found.yaml()


def test_pairs_are_known_by_their_names(tmp_path):
    rows = "hypothesis;premise;gold_label\n" + "a b c;d e f;1\nb c;e f;2\nc;f g;3\n" * 2
    config = proposed(tmp_path, rows)
    assert config["text"] == ["premise", "hypothesis"]
    assert config["data"]["delimiter"] == ";"
    assert config["labels"] == ["1", "2", "3"]
    assert config["metrics"] == ["accuracy", "f1_macro"]


def test_a_number_is_foretold(tmp_path):
    rows = "".join(json.dumps({"text": f"some words {n}", "score": n / 3}) + "\n" for n in range(9))
    config = proposed(tmp_path, rows, "rows.jsonl")
    assert (config["form"], config["label"], config["low"]) == ("regression", "score", 0.0)


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_json_is_parsed_once_and_gives_the_columns_of_its_first_row(tmp_path, monkeypatch, name):
    rows = [{"text": f"some words {n}", "label": "ab"[n % 2]} | ({"late": 1} if n > 3 else {}) for n in range(8)]
    parsed, loads = [], json.loads
    monkeypatch.setattr("bench.data.json_lines.json.loads", lambda *a, **b: parsed.append(a) or loads(*a, **b))
    config = proposed(tmp_path, json.dumps(rows) if name == "rows.json" else "\n".join(map(json.dumps, rows)), name)
    assert (config["text"], config["label"], config["labels"]) == ("text", "label", ["a", "b"])
    assert len(parsed) == (1 if name == "rows.json" else 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("review\nso good\nso bad\n", "no column of review looks like text"),
        ("review\nso good\n", "none of the columns review looks like a label"),
        ("label,size\na,1\nb,2\n", "looks like text"),
        ("review,label\ngood film,1\nbad film,\n", "label, which looks like the label, is empty in 1 rows"),
        ("review,review\na b,1\n", "its first row is no header"),
        ("review,label\n", "there are no rows"),
    ],
)
def test_a_file_that_is_no_task_is_refused_in_a_line(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as error:
        propose(written(tmp_path, text), "rows.csv")
    assert "\n" not in str(error.value)
