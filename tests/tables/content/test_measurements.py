"""Measured fields: of finished cells, on one kind of device, over all seeds and tasks, or the table says so."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from bench.records.fields import CURVE
from bench.records.schema import MemorySplit, Record, Status
from bench.tables import Options, Table, make_table, render_text, to_csv
from bench.tables.definition.measures import COUNTS, OF_DEVICE
from bench.tables.definition.quantities import QUANTITIES
from bench.tables.definition.table import Entry
from tests.tables.made_records import make_record, save

GB = 1_000_000_000
OOM, FAILED = Status.out_of_memory, Status.failed


def measured(
    method: str = "lora", seed: int = 0, peak: float = 3, measure: str = "cuda", seeds: int = 2, **more: Any
) -> Record:
    """A cell of Table VII with a peak of `peak` GB, in a grid of two methods and `seeds` seeds."""
    grid = [{"model": "roberta_base", "task": "glue/rte", "method": ["full", "lora"], "seed": [*range(seeds)]}]
    return make_record("roberta_base", "glue/rte", method, seed, experiment="survey/memory", grid=grid,
                       train_peak=int(peak * GB), measure=measure, **more)  # fmt: skip


def memory_table(folder: Path, *records: Record, options: Options | None = None) -> Table:
    save(folder, *records)
    return make_table(str(folder), "survey/memory", "memory", options)


def entry(table: Table, method: str = "lora", key: str = "train_peak") -> Entry:
    return next(row for block in table.blocks for row in block.rows if row.method == method).entries[key]


def text(table: Table) -> str:
    console = Console(file=io.StringIO(), width=200)
    render_text(table, console)
    return console.file.getvalue()


@pytest.mark.parametrize(("status", "shown"), [(OOM, "OOM"), (FAILED, "failed"), (Status.unsupported, "n/a")])
def test_a_cell_that_did_not_finish_shows_that_and_no_part_of_a_peak(tmp_path, status, shown):
    split = MemorySplit(1, 1, 1, 1, 1, 1)
    table = memory_table(
        tmp_path,
        measured("full", peak=5, seeds=1),
        measured("lora", peak=0.04, status=status, split=split, seeds=1),
    )
    for key in ("train_peak", "train_peak_below_full", "activations"):
        assert (entry(table, key=key).status, entry(table, key=key).value) == (status.value, None)
    assert entry(table).rank is None
    assert shown in text(table)
    assert entry(table, key="trainable").value == 1000  # counted before anything was trained


def test_the_prediction_stands_beside_a_cell_that_ran_out_of_memory(tmp_path):
    record = measured(status=OOM, seeds=1)
    assert record.memory is not None
    record.memory.train_peak_predicted = MemorySplit(5 * GB, 0, 0, 0, 0, 0)
    assert entry(memory_table(tmp_path, record), key="predicted_peak").value == 5


def test_only_finished_seeds_are_averaged_and_their_number_is_shown(tmp_path):
    table = memory_table(
        tmp_path,
        *(measured("full", seed, 5, seeds=3) for seed in range(3)),
        measured("lora", 0, 3, seeds=3),
        measured("lora", 1, 9, status=FAILED, seeds=3),
    )  # one seed failed, one was never run
    assert entry(table).value == 3
    assert (entry(table).seeds, entry(table).expected) == (1, 3)
    assert "3.00 (1/3)" in text(table)
    assert "5.00 (" not in text(table)
    assert "1,000 (" not in text(table)
    assert "mean of 3 seeds; where it is another number, it is given in parentheses" in table.notes


def test_seeds_have_a_deviation_in_the_csv_file_and_a_median_on_request(tmp_path):
    peaks = [3, 4, 8]
    made = [measured("lora", seed, peak, seeds=3) for seed, peak in enumerate(peaks)]
    table = memory_table(tmp_path / "results", *made, options=Options(statistic="median", interval=True))
    assert entry(table).value == 4
    wide = pd.read_csv(to_csv(table, tmp_path / "out")[1]).set_index("method")
    assert wide.at["lora", "train_peak.std"] == pytest.approx(pd.Series(peaks).std())
    assert wide.at["lora", "train_peak.seeds"] == 3
    assert wide.at["full", "train_peak.status"] == "missing"
    assert "trainable.seeds" not in wide.columns


def test_a_gpu_and_a_cpu_are_never_averaged(tmp_path):
    table = memory_table(
        tmp_path,
        measured("full", 0, 5),
        measured("full", 1, 5),
        measured("lora", 0, 3),
        measured("lora", 1, 20, measure="rss"),
    )
    assert (entry(table).value, entry(table).seeds, entry(table).expected) == (3, 1, 2)
    assert any(note.startswith("1 cell(s) were measured on a CPU, the others on a GPU") for note in table.notes)
    on_cpu = memory_table(tmp_path / "cpu", measured("lora", 0, 20, measure="rss"))
    assert entry(on_cpu).value == 20


def test_a_saving_is_against_the_row_with_the_same_settings(tmp_path):
    made = [measured("full", peak=4, seeds=1), measured("full", peak=8, seeds=1, training={"batch_size": 64})]
    made += [measured("lora", peak=2, seeds=1, training={"batch_size": size}) for size in (32, 64)]
    made += [measured("ia3", peak=2, seeds=1)]
    rows = memory_table(tmp_path, *made).blocks[0].rows
    saved = {(row.method, row.variant): row.entries["train_peak_below_full"].value for row in rows}
    assert saved["lora", "batch_size=32"] == 50
    assert saved["lora", "batch_size=64"] == 75
    assert saved["ia3", ""] is None  # which of the two would be a guess


def test_over_several_tasks_a_measurement_is_the_mean_of_all_or_incomplete(tmp_path):
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "times.yaml").write_text("title: Times\ncolumns: [{field: train_seconds, unit: s}]\n")
    tasks = ["miniature/cola", "miniature/sst2"]
    grid = [{"model": "miniature/roberta", "task": tasks, "method": ["full", "lora", "ia3", "bitfit"], "seed": 0}]
    made = [make_record(task=task, method=method, grid=grid) for method in ("full", "lora") for task in tasks]
    made += [make_record(task=task, method="ia3", grid=grid, status=OOM) for task in tasks]
    made[1].time.train = 30.0
    made[3].status, made[3].time.train = FAILED, 1000.0
    save(tmp_path, *made)
    table = make_table(str(tmp_path), "miniature/glue", "times", config_dir=str(tmp_path))
    found = {row.method: row.entries["train_seconds"] for row in table.blocks[0].rows}
    assert found["full"].value == 20
    assert {method: found[method].status for method in ("lora", "ia3", "bitfit")} == {
        "lora": "incomplete",
        "ia3": "out_of_memory",
        "bitfit": "missing",
    }


def notes(folder: Path, *records: Record) -> str:
    return "\n".join(memory_table(folder, *records).notes)


def test_the_caption_names_the_device_and_what_is_measured(tmp_path):
    assert "measured on GPU; memory is what CUDA's allocator handed out" in notes(tmp_path / "gpu", measured())
    on_cpu = measured(measure="rss")
    on_cpu.environment["accelerator"] = None
    assert "measured without a GPU, on CPU; memory is the process's resident set" in notes(tmp_path / "cpu", on_cpu)


def test_the_caption_names_attention_where_it_is_not_the_default(tmp_path):
    made = [measured("lora"), measured("full")]
    for record in made:
        record.cell.config["model"]["attention"] = "sdpa"
    assert "attention" not in notes(tmp_path / "default", *made)
    made[0].cell.config["model"]["attention"] = "eager"
    assert "attention: eager in 1 cell(s), sdpa in 1 cell(s)" in notes(tmp_path / "mixed", *made)
    made[1].cell.config["model"]["attention"] = "eager"
    assert "attention: eager, not the default sdpa" in notes(tmp_path / "eager", *made)


def test_the_caption_says_what_is_made_up(tmp_path):
    made = [measured("lora"), measured("full")]
    assert "random" not in notes(tmp_path / "real", *made)
    for record in made:
        record.cell.config["model"]["weights"] = "random"
    made[0].cell.config["data"]["synthetic"] = True
    assert "random weights, synthetic data in 1 of 2 cells" in notes(tmp_path / "made up", *made)


def test_the_caption_names_cells_that_were_shrunk_or_not_alone(tmp_path):
    plain = notes(tmp_path / "plain", measured())
    assert "micro-batches" not in plain
    assert "at a time" not in plain
    record = measured()
    record.environment |= {"shrunk": [{"micro_batch_size": 16}, {"micro_batch_size": 8}], "sharing": 4}
    found = notes(tmp_path / "shrunk", record, measured("full"))
    assert "1 cell(s) did not fit into the memory" in found
    assert "smaller micro-batches: lora on roberta_base (8 at a time)" in found
    assert "1 cell(s) ran up to 4 at a time on one device" in found


def test_what_an_experiments_grid_sets_is_no_trial_and_less_of_it_is(tmp_path):
    grid = [
        {"model": "roberta_base", "task": "glue/rte", "method": "full", "seed": 0, "training.max_steps": 13},
        {"model": "t5_base", "task": "wmt16", "method": "full", "seed": 0, "+data.limit_train": [64, 512]},
    ]

    def trial(name: str, model: str = "roberta_base", task: str = "glue/rte", **settings: Any) -> bool:
        made = make_record(model, task, "full", experiment="survey/memory", grid=grid, **settings)
        return "TRIAL RUNS" in notes(tmp_path / name, made)

    assert not trial("as the grid says", training={"max_steps": 13})
    assert not trial("one of several", "t5_base", "wmt16", data={"limit_train": 64})
    assert not trial("longer", training={"max_steps": 100})
    assert "steps at most 13," in notes(tmp_path / "as the grid says")  # which is said all the same
    assert trial("shorter", training={"max_steps": 3})
    assert trial("another model's", "t5_base", "wmt16", training={"max_steps": 13})
    assert trial("shortened otherwise", training={"max_steps": 13}, data={"limit_evaluation": 8})


def test_some_of_mmlus_subjects_are_a_trial_and_a_task_of_ones_own_is_none(tmp_path):
    for task, is_trial in (("mmlu", True), ("mine/anatomy", False)):
        record = make_record("llama_7b", task, "full", scores={"accuracy_macro": 0.3}, experiment="runs")
        record.cell.config["task"]["subjects"] = ["anatomy"]
        save(tmp_path / task, record)
        found = "\n".join(make_table(str(tmp_path / task), "runs").notes)
        assert ("TRIAL RUNS: 1 of 1 cells were cut short (task.subjects=anatomy)" in found) == is_trial


def test_every_field_is_known_to_be_counted_measured_on_a_device_or_neither():
    of_neither = {
        "steps",
        "search_trainings",
        "adapter_bytes",
        "perplexity_before",
        "perplexity_after",
        "forgetting",
        *CURVE,
    }
    assert set(QUANTITIES) | set(CURVE) == COUNTS | OF_DEVICE | of_neither
    assert not COUNTS & OF_DEVICE
