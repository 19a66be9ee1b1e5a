"""The tutorials' commands, run in a folder of a user's: short trainings, and tables from a fixed set of records."""

import logging
from pathlib import Path

import pytest

from bench.cli.commands import run_command
from tests.docs.blocks import ROOT, blocks, written
from tests.tables.golden_records import write_golden_records

SHORT = ["training.max_steps=1", "training.batch_size=4", "data.limit_evaluation=8", "memory_split=false"]
FEWER = {
    "seed=0,1,2": "seed=0",
    "task=miniature/sst2,miniature/cola": "task=miniature/sst2",
    "method=full,lora": "method=lora",
    "method=norms,lora,full": "method=norms",
}
HERE = ["hydra/launcher=basic"]  # cells of a sweep one after another, in this process


@pytest.fixture(autouse=True)
def logging_as_before():
    """Hydra's launcher sets up logging, to a stream that ends with its test."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def shown(page: str) -> list[list[str]]:
    """The page's `bench` commands, without the first word."""
    found = [words for block in blocks(ROOT / "docs" / page) if block.kind == "sh" for words in block.commands()]
    return [words[1:] for words in found if words[0] == "bench"]


def ran(words: list[str]) -> bool:
    """Run a command with shorter and fewer cells; a file that a shell would write is left out."""
    words = words[: words.index(">")] if ">" in words else words
    one_task = [] if any(word.startswith("task=") for word in words) else ["task=miniature/sst2"]
    more = {
        "run": SHORT,
        "sweep": [*SHORT, *HERE, *one_task],
        "plan": ["workers=1"],
        "status": ["method=lora"],
        "cite": ["method=lora"],
        "fair": ["baselines=full"],
    }
    given = [FEWER.get(word, word) for word in [*words, *more.get(words[0], [])]]
    return run_command(given) == 0


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_ten_minutes(place, capsys):
    commands = shown("start.md")
    assert [words[0] for words in commands] == ["doctor", "run", "show", "sweep", "sweep", "table", "plan"]
    for words in commands:
        assert ran(words), words
    said = capsys.readouterr().out
    record = next(Path("results/runs").glob("*/record.json"))
    assert f"{record}\n" in said
    assert "method.r" in said
    assert len(list(Path("results/miniature/glue").glob("*/record.json"))) == 1
    assert "LoRA" in said[said.index("GLUE [miniature/glue]") :]
    assert "fits: beside 0.6 GB" in said


def test_a_method_of_ones_own(place, capsys):
    assert [path.name for path in written(ROOT / "docs/own-method.md", place)] == ["norms.py", "norms.yaml"]
    *commands, searches = shown("own-method.md")
    assert [words[0] for words in commands] == ["check", "run", "plan", "sweep", "table", "fair"]
    for words in commands:
        assert ran(words), words
    said = capsys.readouterr()
    assert said.out.count("right: merged it computes the same") == 3
    assert "method 'norms' has none of its own" in said.err
    assert "final cells: 2 methods × 1 model × 1 task × 5 seeds = 10 cells" in said.err
    assert searches == commands[-1][:-1]  # the same without dry_run: a search of an hour
    assert len(list(Path("results/ablation/norms").glob("*/record.json"))) == 2  # with biases, without


def test_from_records_to_a_paper(place, capsys):
    write_golden_records(Path("results"))
    commands = shown("paper.md")
    assert [words[0] for words in commands] == ["status", *["table"] * 2, *["compare"] * 2, "table", "report", "table",
                                                "findings", "cite"]  # fmt: skip
    for words in commands:
        assert ran(words), words
    said = capsys.readouterr().out
    assert "@misc" in said or "@article" in said
    assert r"\label{tab:glue}" in Path("results/tables/miniature/glue/miniature-glue.tex").read_text()
    assert Path("results/report/index.html").is_file()
    assert list(Path("results/compare").glob("*.md"))
    assert {path.suffix for path in Path("results/tables").rglob("*.*")} >= {".tex", ".pdf", ".svg", ".png"}
    names: dict[str, object] = {}
    (script,) = (block.text for block in blocks(ROOT / "docs/paper.md") if block.kind == "python")
    exec(script, names)  # as a reader would paste it
    means = names["means"]
    assert means.loc["lora", "miniature/cola"] == pytest.approx(0.2979, abs=1e-3)
