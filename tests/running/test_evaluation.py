"""`bench evaluate`: a trained cell on other rows and other tasks, as a result of its own kind."""

import json

import pytest

from bench.records.schema import Record, RecordError
from bench.records.store import read_records
from tests.running.trained_cells import run

FEW = ("data.limit_evaluation=12", "data.limit_train=96")


def evaluated(bench, path, *more, few=FEW):
    result = bench("evaluate", f"cell={path}", "device=cpu", *few, *more)
    assert result.returncode == 0, result.stderr
    *metrics, file = result.stdout.splitlines()
    return metrics, json.loads((path.parent / "evaluations" / file.rpartition("/")[2]).read_text()), result.stderr


def test_on_its_own_task_it_scores_what_the_record_says(bench, trained):
    for path in trained.values():
        record = json.loads(path.read_text())
        metrics, made, _ = evaluated(bench, path, few=())
        assert made["values"] == record["metrics"]["values"]
        assert made["predictions"] == json.loads((path.parent / "predictions.json").read_text())["predictions"]
        assert metrics == [f"{name}: {value:.4f}" for name, value in made["values"].items()]
        assert made["cell"] == record["cell"]["id"]
        assert made["fingerprints"]["data"]


def test_another_task_of_as_many_labels_is_scored_by_its_own_metrics(bench, trained):
    _, made, stderr = evaluated(bench, trained["lora"], "task=miniature/rte")
    assert made["task"] == "miniature/rte"
    assert made["values"].keys() == {"accuracy"}
    assert made["examples"] == {"validation": 12}
    assert "the cell has learnt labels of other names: negative as entailment" in made["warnings"][0]
    assert made["warnings"][0] in stderr
    _, made, _ = evaluated(bench, trained["lora"], "task=miniature/cola")
    assert "accuracy" not in made["values"]


def test_fewer_rows_of_its_own_task_are_another_result(bench, trained):
    _, few, _ = evaluated(bench, trained["lora"], "data.limit_evaluation=5", "split=validation")
    assert few["examples"] == {"validation": 5}
    _, all_of_them, _ = evaluated(bench, trained["lora"])
    assert all_of_them["examples"] == {"validation": 12}
    assert len(list((trained["lora"].parent / "evaluations").glob("miniature_sst2-*.json"))) == 2


def test_it_is_no_record_and_no_table_reads_it(bench, trained):
    path = trained["lora"]
    _, made, _ = evaluated(bench, path, "task=miniature/rte")
    assert made["kind"] == "evaluation of a trained cell"
    with pytest.raises(RecordError):
        Record.from_dict(made)
    assert [record.cell.id for record in read_records(path.parents[2], "runs")] == [path.parent.name]


def test_an_answer_in_words_is_not_a_heads(bench, trained, tmp_path):
    path = run("decoder", "lora", tmp_path / "results", "task=miniature/sst2", "task.answer=words")
    result = bench("evaluate", f"cell={path}", *FEW, "task=miniature/sst2", "task.answer=head")
    assert result.returncode == 2
    assert "whose answer is in words; that of 'miniature/sst2' is one of 2 labels" in result.stderr


MISTAKES = {
    "no cell": (["task=miniature/rte"], "cell= is missing"),
    "no record": (["cell=nowhere/record.json"], "give the path of a cell's record.json"),
    "three labels": (["cell={lora}", "task=miniature/mnli"], "one of 2 labels; that of 'miniature/mnli' is one of 3"),
    "a score": (["cell={lora}", "task=miniature/stsb"], "that of 'miniature/stsb' is a score"),
    "another family": (["cell={lora}", "task=miniature/wmt16"], "needs a model of the family"),
    "no such split": (["cell={lora}", "split=tset"], "unknown split 'tset'"),
    "no such setting": (["cell={lora}", "data.limit=3"], "unknown setting of data 'limit'"),
    "another method": (["cell={lora}", "method=ia3"], "unknown setting of evaluate 'method'"),
    "no such task": (["cell={lora}", "task=glue/colla"], "did you mean glue/cola"),
    "synthetic": (["cell={lora}", "data.synthetic=true"], "has nothing to score"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_does_not_fit_is_refused_in_a_line(bench, trained, name):
    words, message = MISTAKES[name]
    result = bench("evaluate", *(word.format(**trained) for word in words))
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_it_is_written_where_it_is_asked_for(bench, trained, tmp_path):
    result = bench("evaluate", f"cell={trained['lora']}", *FEW, "out=mine/rte.json", "task=miniature/rte")
    assert result.stdout.splitlines()[-1] == "mine/rte.json"
    assert json.loads((tmp_path / "mine/rte.json").read_text())["task"] == "miniature/rte"
