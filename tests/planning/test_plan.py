"""`bench plan`, as a user sees it."""

import json
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from bench.cli.commands import run_command
from bench.cli.plan_progress import PlanProgress
from bench.errors import UserError
from bench.planning import plan as planning
from bench.planning.asked import bytes_of
from bench.planning.plan import plan, usable
from bench.planning.predict import Prediction
from bench.planning.remedies import CHANGES, changed, remedies
from bench.records.schema import MemorySplit, Parameters
from tests.planning.test_prediction import foretold_of
from tests.tiny import all_methods

SMALL = ("model=miniature/roberta", "task=miniature/sst2")


@pytest.fixture(autouse=True)
def _of_every_cell_one_prediction(monkeypatch):
    """Many tests plan the same few cells, and a prediction takes seconds."""
    monkeypatch.setattr(planning, "predict", foretold_of)


def test_json_has_the_record_s_parameters_and_a_peak_that_its_parts_add_up_to(bench):
    result = bench("plan", "experiment=miniature/glue", "task=miniature/sst2", "method=lora,full", "format=json")
    assert result.returncode == 0, result.stderr
    cells = json.loads(result.stdout)["cells"]
    assert [(cell["model"], cell["task"], cell["method"], cell["seed"]) for cell in cells] == [
        ("miniature/roberta", "miniature/sst2", method, 0) for method in ("full", "lora")
    ]
    for cell in cells:
        assert set(cell["parameters"]) == {"trainable", "method", "head", "training_only", "stored", "base_total"}
        assert cell["memory"]["train_peak"] == sum(cell["memory"]["parts"].values())
        assert cell["flops_per_step"] > 0


def test_a_cell_that_does_not_fit_is_marked_with_what_helps(bench):
    result = bench("plan", *SMALL, "method=lora", "device_memory=648MB")
    assert result.returncode == 0, result.stderr
    assert "no" in result.stdout.splitlines()[2].split()
    assert "training.micro_batch_size=" in result.stdout
    assert "training.gradient_checkpointing=true" in result.stdout


def test_all_methods_are_planned_by_one_word_and_those_that_cannot_be_had_say_why(bench, monkeypatch):
    foretold = Prediction(Parameters(1, 1, 0, 0, 1, 1), 1, MemorySplit(1, 0, 0, 0, 0, 0), 1)
    monkeypatch.setattr(planning, "_predicted", lambda cell, trace: "no" if cell.method == "ia3" else foretold)
    result = bench("plan", *SMALL, "method=all", "format=json", "workers=1")
    cells = {cell["method"]: cell.get("reason") for cell in json.loads(result.stdout)["cells"]}
    assert set(cells) == set(all_methods()) - {"peft/any"}
    assert {name for name, reason in cells.items() if reason == "no"} == {"ia3"}


@pytest.mark.parametrize("asked", ["experiment=survey/memory", "task=glue/cola"])
def test_settings_with_a_plus_sign_are_taken_as_a_run_takes_them(capsys, asked):
    added = ("+model.architecture.hidden_dropout_prob=0.0,0.1", "++model.architecture.num_hidden_layers=1")
    named = ("model=roberta_base", "method=lora", "++training.batch_size=4", "format=json")
    assert run_command(["plan", asked, *named, *added]) == 0
    without, with_dropout = (cell["memory"]["parts"] for cell in json.loads(capsys.readouterr().out)["cells"])
    assert without["activations"] < with_dropout["activations"]


def test_where_nobody_watches_each_prediction_has_a_line_on_stderr(capsys):
    asked = ["experiment=miniature/glue", "task=miniature/cola,miniature/sst2", "method=lora,ia3", "format=json"]
    assert run_command(["plan", *asked]) == 0
    out, told = capsys.readouterr()
    assert len(json.loads(out)["cells"]) == 4
    lines = told.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "[1/4] miniature/roberta miniature/cola ia3",
        "[2/4] miniature/roberta miniature/cola lora",
    ], "the other task's are the same"
    assert all(line.endswith(" MB") for line in lines)


def test_a_small_plan_is_in_megabytes(capsys):
    assert run_command(["plan", *SMALL, "method=bitfit"]) == 0
    out = capsys.readouterr().out
    head, _, row = out.splitlines()[:3]
    assert "Peak MB" in head
    assert "GFLOP/step" in head
    assert "<0.01" not in row
    assert "in MB (10⁶ bytes)" in out


def test_a_plan_for_several_processes_says_what_its_figure_is(capsys):
    asked = ["plan", *SMALL, "method=lora", "distributed=ddp", "processes=4"]
    assert run_command(asked) == 0
    assert "distributed=ddp processes=4: predicted is the cell on one device with the whole batch" in (
        " ".join(capsys.readouterr().out.split())
    )
    assert run_command([*asked, "format=json"]) == 0
    assert "on one device" in json.loads(capsys.readouterr().out)["cells"][0]["note"]
    assert run_command(["plan", *SMALL, "method=lora", "format=json"]) == 0
    assert "note" not in json.loads(capsys.readouterr().out)["cells"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("method=lorra",), "lora"),
        (("device_memory=big",), "80GiB"),
        (("format=xml",), "json"),
        (("trace=blokcs",), "blocks"),
        (("workers=0",), "workers=0"),
        (("workers=two",), "workers=two"),
        (("task=miniature/mmlu",), "decoder"),
        (("device=tpu",), "auto, cpu or cuda"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(capfd, arguments, said):
    assert run_command(["plan", *SMALL, *arguments]) == 2
    told = capfd.readouterr().err
    assert len(told.strip().splitlines()) == 1
    assert said in told


def test_what_helps_really_fits_and_is_no_smaller_than_it_must_be(compose):
    cell = compose(*SMALL, "method=lora")
    (small,) = plan([cell], device_memory=1)
    limit = small.prediction.peak // 2
    (planned,) = plan([cell], device_memory=int(1.02 * limit) + 600_000_001)
    assert planned.fits is False
    (micro,) = [remedy for remedy in planned.help if "training.micro_batch_size" in remedy.settings]
    twice = changed(cell, {"training.micro_batch_size": 2 * micro.settings["training.micro_batch_size"]})
    assert micro.peak <= limit < planning.predict(twice, "cuda").peak
    (impossible,) = small.help
    assert not impossible.fits
    assert impossible.peak < planned.prediction.peak


def foretold(sizes):
    """Peaks that settings have by themselves, of a thousand bytes."""

    def foretell(cell):
        training, model = cell.config["training"], cell.config["model"]
        peak = 1000
        for (section, key, value), saved in sizes.items():
            peak -= saved if {"training": training, "model": model}[section][key] == value else 0
        return SimpleNamespace(peak=peak)

    return foretell


def test_what_helps_comes_in_the_order_of_what_it_costs_in_exactness(compose):
    cell = compose(*SMALL, "method=lora", "training.micro_batch_size=1")
    sizes = {("model", "quantisation", "nf4"): 700, ("training", "gradient_checkpointing", True): 600}
    found = remedies(cell, foretold(sizes), 500)
    assert [(list(remedy.settings), remedy.peak) for remedy in found] == [
        (["training.gradient_checkpointing"], 400), (["model.quantisation"], 300)
    ]  # fmt: skip
    assert [remedy.costs for remedy in found] == [
        "nothing; parts of the step are computed twice", "the frozen base is rounded to 4 bits"
    ]  # fmt: skip


def test_changes_that_help_only_together_are_offered_together_without_those_that_do_not_help(compose):
    cell = compose(*SMALL, "method=lora", "training.micro_batch_size=1")
    sizes = {("model", "dtype", "bfloat16"): 300, ("training", "optimiser", "paged_adamw_8bit"): 300}
    (remedy,) = remedies(cell, foretold(sizes), 500)
    assert remedy.settings == {
        "model.dtype": "bfloat16", "training.precision": "bf16", "training.optimiser": "paged_adamw_8bit"
    }  # fmt: skip
    assert remedy.fits
    assert remedy.costs.startswith("the frozen base is rounded to 8 bits, and products; the optimiser's moments")


def test_every_change_goes_with_a_cell(compose):
    cell = compose(*SMALL, "method=lora")
    assert all(changed(cell, settings).config_hash for settings, _ in CHANGES)


def test_of_a_gpus_memory_not_all_is_for_tensors():
    assert usable(80 * 1024**3, "cpu") == 80 * 1024**3
    assert 83e9 < usable(80 * 1024**3, "cuda") < 80 * 1024**3 - 600e6
    assert usable(1, "cuda") == 0


def test_equal_shapes_are_predicted_once(compose, monkeypatch):
    calls = []
    monkeypatch.setattr(planning, "predict", lambda cell, device, trace: calls.append(cell) or "prediction")
    cells = [
        compose(f"model={model}", f"task=miniature/{task}", "method=lora", f"seed={seed}")
        for model in ("miniature/roberta", "roberta_base")
        for task in ("cola", "sst2", "mnli")
        for seed in (0, 1)
    ]
    assert len(list(plan(cells))) == 12
    assert len(calls) == 4  # mnli has a larger head


def test_a_watched_terminal_is_told_which_cell_is_being_predicted(compose):
    out = StringIO()
    cell = compose(*SMALL, "method=lora")
    with PlanProgress(1, Console(file=out, force_terminal=True, width=120)) as progress:
        planned = [progress.finish(one) for one in plan([cell], predicting=progress.predicting)]
        progress.predicting(cell)
    assert "miniature/roberta miniature/sst2 lora" in out.getvalue()
    assert "1/1" in out.getvalue()
    assert planned[0].prediction is not None


def test_a_method_that_fake_tensors_cannot_follow_leaves_the_others_alone(compose, monkeypatch):
    predict = planning.predict

    def sometimes(cell, device, trace):
        if cell.method == "bitfit":
            raise RuntimeError("data-dependent")
        return predict(cell, device, trace)

    monkeypatch.setattr(planning, "predict", sometimes)
    first, second = plan(compose(*SMALL, f"method={method}") for method in ("bitfit", "lora"))
    assert first.prediction is None
    assert "data-dependent" in first.reason
    assert second.prediction is not None


@pytest.mark.parametrize(
    ("text", "size"), [("80GiB", 80 * 2**30), ("80GB", 80 * 10**9), ("1.5 MiB", 3 * 2**19), ("512", 512), ("7b", 7)]
)
def test_sizes(text, size):
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1GB", "0", "80 apples"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(UserError, match="80GiB"):
        bytes_of(text)
