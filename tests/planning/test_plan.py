"""`bench plan`, as a user sees it."""

import json

import pytest

from bench.cli import run_command
from bench.errors import UserError
from bench.planning import plan as planning
from bench.planning.plan import bytes_of, plan

SMALL = ("model=miniature/roberta", "task=miniature/sst2")


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
    result = bench("plan", *SMALL, "method=lora", "device_memory=48MB")
    assert result.returncode == 0, result.stderr
    assert "no" in result.stdout.splitlines()[2].split()
    assert "training.micro_batch_size=" in result.stdout
    assert "training.gradient_checkpointing=true" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("method=lorra",), "lora"),
        (("device_memory=big",), "80GiB"),
        (("format=xml",), "json"),
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
    (planned,) = plan([cell], device_memory=limit)
    assert planned.fits is False
    (micro,) = [remedy for remedy in planned.help if "training.micro_batch_size" in remedy.settings]
    twice = planning.changed(cell, {"training.micro_batch_size": 2 * micro.settings["training.micro_batch_size"]})
    assert micro.peak <= limit < planning.predict(twice, "cuda").peak
    (impossible,) = small.help
    assert not impossible.fits
    assert impossible.peak < planned.prediction.peak


def test_equal_shapes_are_predicted_once(compose, monkeypatch):
    calls = []
    monkeypatch.setattr(planning, "predict", lambda cell, device: calls.append(cell) or "prediction")
    cells = [
        compose(f"model={model}", f"task=miniature/{task}", "method=lora", f"seed={seed}")
        for model in ("miniature/roberta", "roberta_base")
        for task in ("cola", "sst2", "mnli")
        for seed in (0, 1)
    ]
    assert len(list(plan(cells))) == 12
    assert len(calls) == 4  # mnli has a larger head


def test_a_method_that_fake_tensors_cannot_follow_leaves_the_others_alone(compose, monkeypatch):
    predict = planning.predict

    def sometimes(cell, device):
        if cell.method == "bitfit":
            raise RuntimeError("data-dependent")
        return predict(cell, device)

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
