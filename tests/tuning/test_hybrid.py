"""A search over mixtures, as a user sees it: a truth is planted, and trials are made up."""

import csv

import yaml

from bench.configuration.compose import Configurations
from bench.records.schema import Memory, Parameters, PhaseMemory, Status
from bench.records.store import read_records
from tests.tuning.stub import hill

KEPT = {"ia3": 500}  # the others are as large as the budget


def parts_of(cell):
    return {name for name, number in cell.config["method"]["mix"].items() if number > 0.5}


def score(cell):
    """LoRA with BitFit is best, and best of all with nothing else; of the single ones LoRA is."""
    if cell.method != "hybrid":
        return hill(cell, 1e-3) - {"lora": 0.1}.get(cell.method, 0.2)
    parts = parts_of(cell)
    if not parts & {"lora", "adapter", "prefix"}:
        return Status.unsupported
    return hill(cell, 1e-3, width=3) + 0.05 * (len(parts & {"lora", "bitfit"}) - len(parts - {"lora", "bitfit"}))


def made(cell):
    """What a real record would say of size and memory."""
    kept = KEPT.get(cell.method, 4000)
    parameters = Parameters(kept + 10, kept, 10, 0, kept + 10, 100_000)
    mixed = cell.method == "hybrid"
    size = {"title": " + ".join(sorted(parts_of(cell)))} if mixed else None
    peak = PhaseMemory(peak_rss=(3 if mixed else 2) * 10**6)
    return {
        "parameters": parameters, "memory": Memory("rss", {"train": peak}), "environment": {"size": size},
    }  # fmt: skip


def test_mixtures_compete_with_each_other_and_with_single_methods(tune, tmp_path):
    words = ("method=lora,ia3,hybrid", "pruner=hyperband")
    result = tune(score, "experiment=miniature/hybrid", "out=mixtures", *words, made=made)
    assert result.returncode == 0, result.stderr
    with (tmp_path / "mixtures" / "trials.csv").open() as file:
        rows = [*csv.DictReader(file)]
    _as_many_trials_on_other_data(result, rows, tmp_path)
    in_full = [row for row in rows if row["score"] and row["epochs"] == max(one["epochs"] for one in rows)]
    _the_best_mixture_is_chosen(in_full, tmp_path / "mixtures")
    _the_front_is_told(result, rows, in_full)
    failed = [row["trial"] for row in rows if row["status"] == "unsupported"]
    assert failed, "of 17 points some are of parts without a size alone"
    assert all(f"{number} unsupported" in result.stdout for number in failed)


def _as_many_trials_on_other_data(result, rows, folder):
    assert "3 studies × 17 trials (9 with 1/9 of the training, 8 with 1/3, 5 with all) = 66 cells" in result.stderr
    assert [[row["method"] for row in rows].count(name) for name in ("lora", "ia3", "hybrid")] == [17] * 3
    records = [*read_records(folder / "results", "tuning/miniature/hybrid")]
    assert {record.cell.config["data"]["score_on"] for record in records} == {"selection"}
    assert {record.cell.seed for record in records} == {1000}
    assert {record.cell.config["method"].get("budget") for record in records if record.cell.method != "ia3"} == {"4%"}


def _the_best_mixture_is_chosen(in_full, folder):
    best = max((row for row in in_full if row["method"] == "hybrid"), key=lambda row: float(row["score"]))
    (path,) = folder.rglob("hybrid.yaml")
    chosen = yaml.safe_load(path.read_text())
    assert chosen["training"]["chosen_by"]["trial"] == int(best["trial"])
    assert best["made_of"] == "bitfit + lora", "the best that there is"
    assert "mix" not in "".join(line for line in path.read_text().splitlines() if "too small" in line)
    with Configurations(str(folder)) as configurations:
        cell = configurations.cell(["model=miniature/roberta", "task=miniature/sst2", "method=hybrid"])
    assert cell.config["method"]["mix"] == chosen["method"]["mix"]
    assert parts_of(cell) == {"bitfit", "lora"}


def _the_front_is_told(result, rows, in_full):
    front = [row for row in rows if row["front"] == "yes"]
    assert {row["method"] for row in front} == {"lora", "ia3", "hybrid"}
    for row in in_full:
        assert (row in front) != any(beats(other, row) for other in in_full)
    printed = result.stdout[result.stdout.index("Made of") :].splitlines()
    for row in front:
        assert any({row["method"], row["trial"], f"{float(row['score']):.4f}"} < {*line.split()} for line in printed)
    assert "no other trial of the model and task keeps as little" in result.stdout


def beats(one, other):
    first, second = ((float(row["kept"]), float(row["train_peak"]), -float(row["score"])) for row in (one, other))
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))


def test_without_mixtures_no_front_is_printed(tune):
    assert "Made of" not in tune(score, "method=lora", "trials=2", made=made).stdout


def test_a_mixture_that_is_given_is_not_searched(tune):
    for given, named in (("method.mix={adapter: 1}", "adapter"), ("method.mix.lora=1", "lora")):
        result = tune(score, "experiment=miniature/hybrid", "method=hybrid", given)
        assert result.returncode == 2
        assert f"method.mix.{named}=… is what is searched; give its range instead" in result.stderr
