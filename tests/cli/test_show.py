"""`bench show`: a cell before it is run, each value with its origin."""

import json

import yaml

from bench.cli.commands import run_command

CELL = ["model=miniature/roberta", "task=glue/rte", "method=adapter_pfeiffer", "seed=3"]


def show(capsys, *arguments):
    assert run_command(["show", *CELL, *arguments]) == 0
    return capsys.readouterr().out


def test_a_line_for_each_value(capsys):
    lines = [line.split() for line in show(capsys).splitlines()]
    assert ["seed", "3", "command", "line"] in lines
    assert ["training.batch_size", "32", "training/glue/_glue.yaml"] in lines
    assert ["data.root", "null", "default"] in lines
    assert lines[-1][:2] == ["learning", "rate"], "what the method takes over stands at the end"


def test_yaml_and_json_say_the_same(capsys):
    as_json, as_yaml = json.loads(show(capsys, "format=json")), yaml.safe_load(show(capsys, "format=yaml"))
    assert as_json["config"]["training"]["batch_size"] == as_yaml["training"]["batch_size"] == 32
    assert as_json["origins"]["method.bottleneck"] == "method/adapter_pfeiffer.yaml"
    assert "adapter_pfeiffer" in as_json["warnings"][0]


def test_what_run_refuses_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_command(["show", *CELL, "method.dropout=2"]) == 2
    assert "method.dropout=2" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
