"""The base as it is: scored, not trained, and the first row of a table."""

import pytest

from bench.records.schema import Status
from bench.records.store import read_records
from tests.cells import MODELS, TASKS
from tests.conftest import composed

LIMITED = "data.limit_train=8", "data.limit_evaluation=12"


@pytest.mark.parametrize("family", MODELS)
def test_nothing_is_trained_and_all_is_scored(family, bench, tmp_path):
    given = f"model={MODELS[family]}", f"task={TASKS[family]}", f"results_dir={tmp_path}", *LIMITED
    assert bench("run", *given, "method=untuned").returncode == 0
    (record,) = read_records(tmp_path, "runs")
    assert record.status == Status.done
    assert record.parameters.trainable == record.parameters.stored == record.parameters.head == 0
    assert record.metrics.values
    assert "train" not in record.memory.phases
    assert record.time.train is None
    assert not record.warnings


def test_it_is_the_row_above_all_others(bench, tmp_path):
    given = "experiment=miniature/mmlu", f"results_dir={tmp_path}"
    bench("run", *given, "model=miniature/llama", "task=miniature/mmlu", "method=untuned", *LIMITED)
    shown = bench("table", *given).stdout
    lines = [line for line in shown.splitlines() if "No training" in line or "Full fine-tuning" in line]
    assert lines[0].split()[:3] == ["Untuned", "No", "training"]
    assert lines[0].split()[3:5] == ["0", "0.00"], "parameters and their share"


def test_a_plan_says_that_there_is_nothing_to_foretell(bench):
    shown = bench("plan", "model=miniature/roberta", "task=miniature/sst2", "method=untuned")
    assert "nothing is trained" in shown.stderr


def test_a_search_leaves_it_out(bench):
    shown = bench("tune", "experiment=miniature/glue", "task=miniature/sst2", "method=untuned,lora", "trials=2",
                  "dry_run=true")  # fmt: skip
    assert "1 study × 2 trials" in shown.stderr


def test_it_takes_no_settings_over_for_want_of_its_own():
    """It needs none: a warning would be about nothing."""
    given = "model=roberta_base", "task=glue/rte"
    assert composed(*given, "method=qlora").inherited
    assert composed(*given, "method=untuned").inherited is None


@pytest.mark.parametrize(("name", "category", "does"), [("lora", "none", "something"), ("untuned", "full", "nothing")])
def test_what_it_is_called_is_what_it_does(name, category, does, bench):
    given = "model=miniature/roberta", "task=miniature/sst2", f"method={name}", f"method.category={category}"
    shown = bench("run", *given)
    assert shown.returncode == 2
    assert f"'none' is for what trains nothing, and {name} trains {does}" in shown.stderr
