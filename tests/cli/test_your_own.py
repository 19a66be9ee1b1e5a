"""docs/your-own.md from start to table: its commands and its YAML files, on rows in the miniature's language."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from bench.cli.commands import run_command
from bench.miniature.backbones import backbone_path

PAGE = Path(__file__).parents[2] / "docs" / "your-own.md"
TEXTS = ["den sti .", "nu rulbo .", "va bu rinbra .", "sti kupal nu .", "per vafe nu .", "den nu rulbo ."]
LABELS = ("nu", "sti")  # words that all three models know
SHORT = ["training.max_steps=2", "training.micro_batch_size=4", "training.batch_size=4", "memory_split=false"]


def blocks(kind: str) -> list[str]:
    """The page's fenced blocks of a kind ("sh": commands)."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [text for called, text in fenced if called == kind]


def commands() -> list[list[str]]:
    lines = (line for block in blocks("sh") for line in block.splitlines())
    return [shlex.split(line)[1:] for line in lines if line.startswith("bench ")]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    rows = [f"{' '.join([text] * (1 + n % 5))},{LABELS[n % 2]}" for n, text in enumerate(TEXTS * 5)]
    Path("reviews.csv").write_text("\n".join(["review,stars", *rows]) + "\n")
    return tmp_path


def test_the_page_leads_from_a_csv_to_a_table_on_every_family(place, capsys):
    told = commands()
    assert [command[0] for command in told] == ["task", "check", "check", "sweep", "table"]
    for command in told[:2]:
        assert run_command(command) == 0
    said = capsys.readouterr().out
    assert "review is the text" in said
    assert "accuracy of always the most frequent answer" in said
    for text in blocks("yaml"):
        if not (named := re.match(r"# (\S+)\n", text)):  # a part of a file
            continue
        name = named[1]
        if "/task/" in name or "/model/" in name:  # written by the command above; a folder that is not here
            assert Path(name).exists() == ("/task/" in name)
            continue
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    assert run_command([*told[3], *SHORT]) == 0
    assert run_command(told[4]) == 0
    tables = [file.read_text().lower() for file in Path("results/tables").rglob("*.csv")]
    for model in ("roberta", "t5", "llama"):
        assert any(sum(model in line for line in table.splitlines()) >= 3 for table in tables), tables


def test_the_declaration_on_the_page_is_what_the_command_writes(place):
    rows = Path("reviews.csv").read_text().replace(",nu\n", ",good\n").replace(",sti\n", ",bad\n")
    Path("reviews.csv").write_text(rows)
    assert run_command(commands()[0]) == 0
    shown = next(text for text in blocks("yaml") if "/task/" in text)
    written = Path("mine/task/reviews.yaml").read_text()
    assert yaml.safe_load(written) == yaml.safe_load(shown) | {"title": "reviews"}


def test_the_model_on_the_page_is_looked_at(place, capsys):
    file = Path("mine/model/tiny.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(next(text for text in blocks("yaml") if f"# {file}" in text))
    Path("FOLDER").symlink_to(backbone_path("roberta"))
    command = next(command for command in commands() if "model=tiny" in command)
    assert run_command(command) == 0
    said = capsys.readouterr().out
    for words in ("from: model.path, FOLDER", "declared for roberta", "\n  lora: ", "right: all values are finite"):
        assert words in said
    (Path("mine") / "model" / "tiny.yaml").write_text(file.read_text().replace("FOLDER", "elsewhere"))
    assert run_command(command) == 2
    assert capsys.readouterr().err == "bench: model.path=elsewhere: no model there (config.json is missing)\n"
