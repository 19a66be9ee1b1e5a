"""`bench check`: what is named is looked at, and the exit code says what came of it."""

import json

import pytest

from bench.miniature.backbones import backbone_path

MISTAKES = {
    "no such model": (["model=miniature/robert"], "did you mean miniature/roberta"),
    "a model without files": (["model=decoder"], "add model.path=FOLDER"),
    "a folder that is not there": (["model=decoder", "model.path=nowhere"], "config.json is missing"),
    "a folder alone that is not there": (["model.path=nowhere"], "config.json is missing"),
    "data for a model": (["model=miniature/llama", "data.root=x"], "leave out data.root=, or name a task"),
    "a structure that is none": (["model=miniature/llama", "model.structure=discovr"], "did you mean discover"),
    "an empty sample": (["model=miniature/llama", "sample="], "sample= is empty"),
    "a model for a method": (["method=lora", "model=miniature/llama"], "leave out model="),
    "a format that is not known": (["model=miniature/llama", "format=yaml"], "unknown format 'yaml'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_exit_code_2(bench, mistake):
    words, expected = MISTAKES[mistake]
    result = bench("check", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("bench: ")
    assert expected in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_model_alone_is_looked_at_section_by_section_with_the_conclusion_last(bench):
    result = bench("check", "model=miniature/llama")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "miniature/llama (decoder)"
    sections = ["origin", "sizes", "structure", "methods", "tokenizer", "weights"]
    assert [line for line in lines if line in sections] == sections
    assert "  parameters: 850,816" in lines
    assert "  lora: 9,472 parameters trained" in lines
    assert lines[-1] == "right: 9 checks went well"


def test_beside_a_task_it_says_whom_the_task_is_shown_to(bench):
    result = bench("check", "task=miniature/sst2", "model=miniature/llama", "data.limit_train=20")
    assert result.returncode == 0
    assert result.stdout.startswith("miniature/sst2 as miniature/llama is given it")


def test_a_folder_alone_tells_its_family_and_what_is_wrong_the_exit_code(bench):
    result = bench("check", f"model.path={backbone_path('llama')}", "format=json")  # it knows no English
    assert result.returncode == 1
    found = json.loads(result.stdout)
    assert (found["model"], found["family"]) == ("decoder", "decoder")
    assert "no better than by chance" in found["sections"]["weights"]["wrong"][0]
    assert found["sections"]["methods"]["fits"]["bitfit"] == 5120
    assert found["conclusion"] == "wrong: 1 check failed (weights), 2 to look at"


def test_methods_that_are_refused_for_one_reason_share_a_line(bench):
    folder = backbone_path("llama")
    shown = bench("check", "model=encoder", f"model.path={folder}").stdout
    [line] = [line for line in shown.splitlines() if "not with this model: nothing is known" in line]
    refused = line.partition(":")[0].split(", ")
    assert {"lora", "mam"} <= {name.strip() for name in refused}
