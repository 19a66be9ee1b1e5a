"""What no cell can be made of is refused in a line that names the culprit, before anything is done."""

import pytest

from bench.cli.commands import run_command
from bench.configuration.annotations import fits
from bench.configuration.compose import Configurations
from bench.errors import UserError, unknown_name

NUMBERS = (
    "training.learning_rate=inf", "training.learning_rate=1e400", "training.weight_decay=nan", "training.beta2=1",
    "training.epochs=1e12", "training.evaluations=1000000000", "training.batch_size=0", "training.warmup=1.5",
    "data.limit_train=0", "seed=-1", "seed=99999999999", "threads=0", "processes=0", "checkpoint_seconds=-1",
)  # fmt: skip
WORDS = ("on_oom=pray", "distributed=zero", "device=tpu", "save_trained=3", "model.path=", "training.schedule=steep")
CHOICES = ("training=[a]", "training=3", "training=nowhere", "model=3", "task=null", "method=[lora]", "model={path: x}")


@pytest.mark.parametrize("setting", [*NUMBERS, *WORDS, *CHOICES, "training.epochs=many", "seed=[1", "+seed=2"])
def test_a_setting_that_cannot_be(setting):
    key = setting.partition("=")[0].strip("+")
    with Configurations() as configurations, pytest.raises(UserError, match=key) as caught:
        configurations.cell([setting])
    assert "\n" not in str(caught.value)
    assert "interpolation" not in str(caught.value)


OWN = ("method.dropout=2", "method.alpha=nan", "method.alpha=[1]", "method.r=true", "method.rank=4", "task.folds=3")
SWEEP = ("timeout=nan", "timeout=1e400", "workers=1.5", "dry_run=", "dry_run=perhaps", "only=")


@pytest.mark.parametrize("setting", [*OWN, *SWEEP])
def test_a_preview_refuses_it_as_well(tmp_path, capsys, setting):
    results = tmp_path / "results"
    assert run_command(["sweep", "experiment=runs", f"results_dir={results}", "dry_run=true", setting]) == 2
    said = capsys.readouterr().err.strip()
    assert setting.partition("=")[0].rpartition(".")[2] in said
    assert len(said.splitlines()) == 1
    assert not results.exists()


@pytest.mark.parametrize("command", [["show"], ["run"], ["sweep", "dry_run=true"]])
def test_a_value_for_a_family_that_no_model_is_of(tmp_path, capsys, command):
    cell = ["experiment=miniature/mmlu", "model=miniature/llama", "task=miniature/mmlu", "method=lora"]
    assert run_command([*command, *cell, f"results_dir={tmp_path}", "method.r.encoder=4"]) == 2
    assert "method.r.encoder changes nothing" in (said := capsys.readouterr().err)
    assert "say method.r.decoder=" in said


def test_a_value_for_a_family_that_one_of_the_models_is_of(tmp_path, capsys):
    cells = ["experiment=miniature/glue,miniature/mmlu", "method=lora", f"results_dir={tmp_path}", "dry_run=true"]
    assert run_command(["sweep", *cells, "method.r.encoder=4"]) == 0
    assert "miniature_llama" in capsys.readouterr().out


def test_a_field_that_the_yaml_leaves_out_can_be_given():
    with Configurations() as configurations:
        assert configurations.cell(["task.folds=3"]).config["task"]["folds"] == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('name: mine\ntitle: "Mine\n', r"method/mine.yaml, line \d+: no YAML"),
        ("name: mine\nname: mine\n", r"method/mine.yaml, line 2: no YAML: .*duplicate"),
        ("- lora\n", "must consist of lines KEY: VALUE"),
        ("defaults: [lora, nowhere]\nname: mine\n", "mine.yaml, line 1"),
        ("defaults: 3\nname: mine\n", "method/mine"),
        (b"name: \xff\n", "mine.yaml: no text in UTF-8"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, content, said):
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with Configurations(str(tmp_path)) as configurations, pytest.raises(UserError, match=said):
        configurations.cell(["method=mine"])


def test_a_syntax_error_in_a_class_of_one_s_own_is_named_with_its_line(tmp_path, capsys):
    (tmp_path / "method").mkdir()
    (tmp_path / "slip.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "method" / "slip.yaml").write_text("_target_: slip.Slip\nname: slip\n")
    assert run_command(["show", "--config-dir", str(tmp_path), "method=slip"]) == 2
    assert "slip.py, line 2" in capsys.readouterr().err


def test_a_hint_is_never_the_word_that_was_given():
    assert str(unknown_name("method", "lora", ["lora", "qlora"])) == "unknown method 'lora'; did you mean qlora?"


@pytest.mark.parametrize(
    ("value", "hint", "right"),
    [(1, float, True), (True, float, False), (float("inf"), float, False), (1.0, int, False), (None, int | None, True),
     ("a", list[str], False), (["a"], list[str], True), ([1], list[str], False), ({"a": 1}, dict[str, int], True)],
)  # fmt: skip
def test_annotations_are_read_as_yaml_can_write_them(value, hint, right):
    assert fits(value, hint) is right
