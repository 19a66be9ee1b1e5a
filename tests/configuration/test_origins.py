"""Each value knows where it came from, and what a method takes over for want of its own is said."""

import pytest

from bench.configuration.compose import Configurations
from bench.configuration.expansion import Expansion
from bench.errors import UserError
from bench.sweeping.selection import select_cells

METHOD = "_target_: bench.methods.bitfit.BitFit\nname: {}\ntitle: Mine\ncategory: partial\npaper: none\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    (folder / "method").mkdir(parents=True)
    (folder / "method" / "mine.yaml").write_text(METHOD.format("mine"))
    return folder


def test_the_command_line_a_file_and_the_schema_are_told_apart(compose):
    cell = compose("task=glue/rte", "method=lora", "seed=3", "training={warmup: 0.2}", "+model.architecture.a=1")
    origins = cell.origins.of_all(cell.config)
    assert origins["seed"] == origins["training.warmup"] == origins["model.architecture.a"] == "command line"
    assert origins["method.dropout"] == "method/lora.yaml"
    assert origins["method.alpha"] == "method_on/miniature/roberta/lora.yaml", "where the model has its own"
    assert origins["training.batch_size"] == "training/glue/_glue.yaml"
    assert origins["training.learning_rate"] == "training/glue/method/lora.yaml", "the last file that sets it"
    assert origins["data.root"] == origins["training.precision"] == "default"


def test_a_value_that_refers_to_another_has_its_origin(compose):
    assert compose("method=peft/any", "peft.type=LOHA").origins.of("method.settings.type") == "command line"


def test_files_of_the_user_s_own_are_called_as_the_user_calls_them(mine):
    with Configurations(str(mine)) as configurations:
        assert configurations.cell(["method=mine"]).origins.of("method.title") == f"{mine}/method/mine.yaml"


def test_a_method_without_training_settings_says_whose_it_takes(mine):
    with Configurations(str(mine)) as configurations:
        said = configurations.cell(["task=glue/rte", "method=mine"]).inherited
        assert said.startswith("learning rate 2e-5, ")
        assert "from training/glue/_glue.yaml (full fine-tuning's); method 'mine' has none of its own" in said
        assert said.endswith("say training.learning_rate=… or add training/glue/method/mine.yaml")
        given = configurations.cell(["task=glue/rte", "method=mine", "training.learning_rate=1e-3"]).inherited
        assert given.startswith("batch size 32"), "the rest is still another's"
        assert "learning rate" not in given


def test_a_file_of_its_own_settles_it(mine):
    (mine / "training/glue/method").mkdir(parents=True)
    (mine / "training/glue/method/mine.yaml").write_text("learning_rate: 1e-3\n")
    with Configurations(str(mine)) as configurations:
        cell = configurations.cell(["task=glue/rte", "method=mine"])
    assert cell.inherited is None
    assert cell.training.learning_rate == 1e-3


@pytest.mark.parametrize("method", ["full", "lora", "child_tuning_d"])
def test_shipped_methods_with_settings_say_nothing(compose, method):
    assert compose("task=glue/rte", f"method={method}").inherited is None


def test_a_task_without_training_settings_says_so(tmp_path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "own.yaml").write_text("_target_: x.Y\nname: own\n")
    with Configurations(str(tmp_path)) as configurations:
        said = configurations.cell(["task=own"]).inherited
    assert "the schema's defaults; there are no training settings for task 'own'" in said


def test_the_cells_of_a_sweep_know_it_too_and_the_grid_from_the_command_line():
    with Configurations() as configurations:
        arguments = ["experiment=miniature/learning_rate", "training.epochs=1"]
        cells = [cell for _, cell in select_cells(arguments, configurations.compose, configurations.folders).values()]
        again = list(Expansion(configurations.compose, configurations.folders).cells([["seed=1"], ["seed=2"]]))
    assert {cell.origins.of("training.epochs") for cell in cells} == {"command line"}
    assert {cell.origins.of("training.learning_rate") for cell in cells} == {"experiment/miniature/learning_rate.yaml"}
    assert [cell.origins.of("seed") for cell in again] == ["command line"] * 2


@pytest.mark.parametrize(("group", "name"), [("experiment", "yours"), ("method", "lora")])
def test_a_copied_file_that_kept_its_name_is_refused(tmp_path, group, name):
    (tmp_path / group).mkdir()
    content = METHOD.format(name) if group == "method" else f"name: {name}\ngrid: []\n"
    (tmp_path / group / "mine.yaml").write_text(content)
    with Configurations(str(tmp_path)) as configurations, pytest.raises(UserError, match=f"says name: {name}"):
        configurations.cell([f"{group}=mine"])
