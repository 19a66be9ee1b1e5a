"""Every command that the README and docs/ show: parsed and composed for real, or marked with what it needs.

Pages whose commands are executed: tests/docs/test_pages.py, tests/cli/test_your_own.py.
"""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from bench.cli.usage import HELP
from bench.miniature.backbones import backbone_path
from scripts.documenting.marks import MARKS
from tests.docs.blocks import PAGES, ROOT, Block, all_blocks, loose_commands, within_sentences, written
from tests.docs.reached import held

SHELL = [block for block in all_blocks() if block.kind == "sh"]
WITHIN = [block for page in PAGES for block in within_sentences(page)]
# In a sentence `bench sweep` is a name; with what it is to be done to, it is a command.
WHOLE = re.compile(r"(experiment|model|task)=")
PLACEHOLDERS = {"experiment=E": "experiment=miniature/glue"}
METHOD = """
from dataclasses import dataclass, field
from bench.methods.base import Method

@dataclass(kw_only=True)
class Mine(Method):
    gate: bool = True
    inner: int | None = None
    sites: dict = field(default_factory=dict)
"""
# What is neither ours nor anybody's to test here: shells, and programs that come with what is installed.
OTHERS = {
    "source": lambda words: words[1] == ".venv/bin/activate",
    "export": lambda words: all("=" in word for word in words[1:]),
    "eval": lambda words: words[1] == "$(bench -sc install=bash)",  # run by tests/cli/test_completion.py
}


def ours(program: str) -> list[tuple[Block, list[str]]]:
    """Commands of a program, with their blocks."""
    told = [block for block in WITHIN if program != "bench" or WHOLE.search(block.text)]
    return [(block, words) for block in [*SHELL, *told] for words in block.commands() if _program(words) == program]


def _program(words: list[str]) -> str:
    return next(word for word in words if not re.fullmatch(r"[A-Z_]+=.*", word))


def _name(block: Block, words: list[str]) -> str:
    return f"{block.page}:{block.line}: {' '.join(words)}"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the pages' commands name: a `mine` of all that they show, a model, data."""
    folder = tmp_path_factory.mktemp("place")
    for page in PAGES:
        written(page, folder)
    (folder / "mine/mine.py").write_text(METHOD)
    for name in ("mixtures", "chosen", "MIRROR"):
        (folder / name).mkdir()
    (folder / "my_configs").symlink_to("mine")
    (folder / "FOLDER").symlink_to(backbone_path("roberta"))
    task = {"form": "classification", "name": "reviews", "title": "Reviews", "data": {"files": "reviews.csv"}}
    assert (folder / "mine/task/reviews.yaml").read_text().startswith(f"# mine/task/reviews.yaml\nform: {task['form']}")
    (folder / "reviews.csv").write_text("review,stars\nso,bad\n")
    return folder


def test_every_command_stands_in_a_block_of_commands_with_marks_that_are_known():
    assert {page.name: loose_commands(page) for page in PAGES} == {page.name: [] for page in PAGES}
    assert {mark for block in SHELL for mark in block.marks} <= MARKS.keys()
    assert len(ours("bench")) > 80


def test_every_bench_command_is_one_that_bench_takes(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    refused = []
    for block, words in ours("bench"):
        told = [PLACEHOLDERS.get(word, word) for word in words[1:] if word != "…"]
        told = told[: told.index(">")] if ">" in told else told
        with monkeypatch.context() as patch:
            if not held(told, patch):
                refused.append((_name(block, words), capsys.readouterr().err))
    assert not refused


def test_every_example_of_a_command_s_help_is_one_that_it_takes(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    examples = [line for text in HELP.values() for line in text.splitlines() if line.startswith("  bench ")]
    assert len(examples) > 20
    for line in examples:
        with monkeypatch.context() as patch:
            assert held(shlex.split(line.partition(" > ")[0])[1:], patch), (line, capsys.readouterr().err)


def test_a_command_that_is_wrong_is_found(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    for wrong, said in {
        "run model=roberta_base task=glue/rte method=lorra": "unknown method 'lorra'",
        "sweep experiment=survey/glue hydra.launcher.partitoin=gpu hydra/launcher=slurm": "partitoin",
        "plan experiment=survey/memory device_memory=lots": "device_memory=lots",
        "table experiment=survey/glue format=word": "unknown format 'word'",
        "export cell=results/runs/CELL/record.json": "out= is missing",
        "tune experiment=survey/glue task=glue/rte trials=none": "trials=none",
        "check --config-dir mine task=review": "unknown task 'review'",
    }.items():
        with monkeypatch.context() as patch:
            assert not held(wrong.split(), patch), wrong
        assert said in capsys.readouterr().err


def test_every_make_target_is_there_and_every_variable_is_used():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE))
    for block, words in ours("make"):
        given = words[words.index("make") + 1 :]
        assert {word for word in given if "=" not in word} <= targets, _name(block, words)
        for word in given:
            assert "=" not in word or f"$({word.partition('=')[0]})" in makefile, _name(block, words)


def test_every_script_is_there_and_every_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for block, words in ours("python"):
        file = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
        assert (ROOT / file).is_file(), _name(block, words)
    for block, words in ours("scripts/first_minutes_on_a_gpu.sh"):  # run by .ci/run
        assert (ROOT / words[-1]).is_file(), _name(block, words)
    for block, words in ours("pip"):
        asked = {name for word in words for group in re.findall(r"\[(.*)\]", word) for name in group.split(",")}
        assert asked <= extras.keys(), _name(block, words)


def test_whatever_else_is_shown_is_marked_or_known():
    known = {"bench", "make", "python", "pip", "scripts/first_minutes_on_a_gpu.sh"}
    for block in SHELL:
        for words in block.commands():
            program = _program(words) if not all("=" in word for word in words) else "export"
            if program not in known and not block.marks:
                assert OTHERS[program](words), _name(block, words)


def test_commands_within_sentences_name_a_command_of_bench():
    said = {word for page in PAGES for word in re.findall(r"`bench ([a-z]+)[ `]", page.read_text())}
    assert said <= HELP.keys()
    assert len(said) > 10


def test_pages_with_executed_commands_are_those_that_say_so():
    says = {page.name for page in PAGES if "commands of this page are run by a test" in page.read_text().lower()}
    tests = "".join(
        Path(ROOT / file).read_text() for file in ("tests/docs/test_pages.py", "tests/cli/test_your_own.py")
    )
    assert says == {"start.md", "own-method.md", "paper.md", "your-own.md"}
    assert all(f'"{name}"' in tests for name in says)
