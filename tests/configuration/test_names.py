"""Names that become folders stay where they belong; paths that are none are refused."""

import pytest

from bench.cli.arguments import config_dir_and_rest, own_settings
from bench.configuration.names import check_name, check_path
from bench.errors import UserError
from bench.records.finding import find_records
from bench.records.store import experiment_folder

ESCAPES = [
    "..", "../x", "a/../../x", "/etc", "/", "a//b", "a/", "", " ", ".", ".hidden", "a/.b", "-rf", "~root", "a\\b",
    "a\0b", "a\nb", "a\x1b[2J", "a\u202eb", "a /b", " a", "x" * 201, "é" * 101, "\ud800", 3, None,
]  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_leads_elsewhere_is_refused(name):
    with pytest.raises(UserError, match=r"experiment\.name="):
        check_name("experiment.name", name)


@pytest.mark.parametrize("name", ["runs", "survey/glue", "peft/any", "my model v1.2", "中文", "a.b", "a-b", "x" * 200])
def test_other_names_are_taken(name):
    assert check_name("experiment.name", name) == name


@pytest.mark.parametrize("path", ["", "  ", "a\0b", "x" * 256, "a/" * 2500, "\udc80"])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(UserError, match=r"^out="):
        check_path("out", path)


def test_cells_are_checked(compose):
    for setting in (
        "experiment.name=../../x",
        "model.name=a/../b",
        "method.name=.x",
        "results_dir=''",
        "results_dir=",
    ):
        with pytest.raises(UserError, match=setting.partition("=")[0]):
            compose("model=miniature/roberta", "task=miniature/sst2", "method=lora", setting)


def test_an_experiment_to_be_read_is_checked(tmp_path):
    for name in ("..", "a/../..", "/etc"):
        with pytest.raises(UserError, match="experiment="):
            experiment_folder(tmp_path, name)
        with pytest.raises(UserError, match="experiment="):
            find_records(tmp_path, name)


@pytest.mark.parametrize("key", ["out", "results_dir"])
def test_an_empty_folder_is_refused(key):
    with pytest.raises(UserError, match=f"{key}= is empty"):
        own_settings("table", [f"{key}="], (key,))


@pytest.mark.parametrize("given", [["--config-dir="], ["--config-dir", ""], ["--config-dir=", "seed=1"]])
def test_an_empty_folder_of_configurations_is_refused(given):
    with pytest.raises(UserError, match="--config-dir= is empty"):
        config_dir_and_rest(given)


def test_a_folder_of_configurations_is_taken_either_way():
    assert config_dir_and_rest(["--config-dir=mine", "seed=1"]) == ("mine", ["seed=1"])
    assert config_dir_and_rest(["seed=1", "--config-dir", "mine"]) == ("mine", ["seed=1"])
