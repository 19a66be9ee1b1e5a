"""What a score costs, beside it: the table `cost`, fields by `columns=`, PSCP with its constants and ranks."""

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.cli.commands import run_command
from bench.records.schema import Forgetting, InferenceCost, Record
from bench.tables import Options, Table, make_table, to_csv
from bench.tables.definition.table import Row
from tests.tables.made_records import make_record, save

GB, TFLOP = 1_000_000_000, 10.0**12
GRID = [{"model": "llama_7b", "task": "mmlu", "method": ["full", "lora", "ia3"], "seed": [0]}]


def cell(method: str, score: float, trainable: int, extra: float | None, merged: float | None = None) -> Record:
    """A cell with 3 GB of memory and steps of 20 ms; `extra` and `merged` in TFLOP beyond the bare model's 8."""
    record = make_record(
        "llama_7b", "mmlu", method, 0, {"accuracy": score}, experiment="runs", grid=GRID, trainable=trainable,
        base_total=7 * GB, train_peak=3 * GB,
    )  # fmt: skip
    record.time.step_p50 = 0.02
    record.storage.adapter_bytes = 2_500_000
    forms = {"bare": 0.0} | {name: one for name, one in (("adapted", extra), ("merged", merged)) if one is not None}
    if extra is not None:
        record.inference = {name: InferenceCost(0.1, GB, GB, (8 + one) * TFLOP) for name, one in forms.items()}
    return record


def table(results: Path, *records: Record, definition: str = "cost", **options: object) -> Table:
    save(results, *records)
    return make_table(str(results), "runs", definition, Options(**options))


def rows(made: Table) -> dict[str, Row]:
    return {row.method: row for row in made.blocks[0].rows}


def test_score_and_costs_stand_side_by_side(tmp_path):
    made = table(tmp_path, cell("lora", 0.5, 4_000_000, 0.25, 0.0), cell("full", 0.4, 7 * GB, None))
    assert [column.title for column in made.columns] == [
        "mmlu", "Trainable", "Stored MB", "Peak GB", "Step ms", "Extra FLOP", "merged",
    ]  # fmt: skip
    values = [entry.value for entry in rows(made)["lora"].entries.values()]
    assert values == [50, 4_000_000, 2.5, 3, 20, 0.25 * TFLOP, 0]
    assert rows(made)["full"].entries["extra_operations"].status == "not_measured"


def test_fields_stand_beside_any_definition_and_the_command_says_so(tmp_path):
    made = table(
        tmp_path, cell("lora", 0.5, 1000, 0.0), definition="scores",
        columns=("adapter_bytes", "train_peak", "step_seconds", "trainable"),
    )  # fmt: skip
    assert [column.title for column in made.columns] == ["# Params", "%", "mmlu", "Stored MB", "Peak GB", "Step ms"]
    assert "columns=adapter_bytes,train_peak,step_seconds,trainable" in made.command
    assert [column.better for column in made.columns[-3:]] == ["lower"] * 3
    assert rows(made)["lora"].entries["step_seconds"].value == 20


def test_forgetting_is_a_column_and_records_without_it_show_none(tmp_path):
    lora, full = cell("lora", 0.5, 1000, 0.0), cell("full", 0.4, 1000, 0.0)
    lora.forgetting = Forgetting(10.0, 12.5, 2.5, 1000, 128, "f" * 64, 0, 40)
    full.forgetting = Forgetting(None, 12.5, None, 1000, 128, "f" * 64, 0, 40)
    asked = ("perplexity_before", "perplexity_after", "forgetting")
    made = table(tmp_path, lora, full, cell("ia3", 0.3, 1000, 0.0), columns=asked)
    found = rows(made)
    assert [found["lora"].entries[name].value for name in asked] == [10.0, 12.5, 2.5]
    assert [found["full"].entries[name].value for name in asked] == [None, 12.5, None]
    assert found["ia3"].entries["forgetting"].status == "not_measured"
    long = pd.read_csv(to_csv(made, tmp_path / "out")[0]).set_index("method")
    assert long.at["lora", "forgetting"] == 2.5


def test_a_record_of_before_has_neither_operations_nor_forgetting(tmp_path):
    (path,) = save(tmp_path, cell("lora", 0.5, 1000, 0.5))
    before = json.loads(path.read_text())
    del before["forgetting"], before["time"]["forgetting"]
    for cost in before["inference"].values():
        del cost["operations"]
    path.write_text(json.dumps(before))
    made = make_table(str(tmp_path), "runs", "cost", Options(columns=("forgetting", "pscp")))
    found = rows(made)["lora"].entries
    assert {found[name].status for name in ("extra_operations", "forgetting", "pscp")} == {"not_measured"}
    assert found["mmlu.accuracy"].value == 50


def test_pscp_has_its_constants_in_the_notes_and_other_ones_by_command(tmp_path):
    records = [cell("lora", 0.5, 500_000_000, 0.0), cell("ia3", 0.4, 0, 10.0)]
    made = table(tmp_path, *records, columns=("pscp",))
    memory = 1 / (1 + 3 / 94)
    assert rows(made)["lora"].entries["pscp"].value == pytest.approx(50 / 2 * memory)
    assert rows(made)["ia3"].entries["pscp"].value == pytest.approx(40 / 2 * memory)
    (formula,) = [note for note in made.notes if note.startswith("PSCP")]
    assert "trainable / 5e+08)^−1" in formula
    assert "/ 1e+13)^−1" in formula
    assert "/ 94 GB)^−1" in formula
    other = make_table(str(tmp_path), "runs", "cost", Options.of({"columns": "pscp", "pscp.memory": "3e9"}))
    assert rows(other)["lora"].entries["pscp"].value == pytest.approx(50 / 2 / 2)
    assert "pscp.memory=3e+09" in other.command


def test_the_notes_say_with_which_constants_the_ranks_are_others(tmp_path):
    made = table(tmp_path, cell("lora", 0.50, 500_000_000, 0.0), cell("ia3", 0.40, 0, 10.0), columns=("pscp",))
    (ranks,) = [note for note in made.notes if note.startswith("ranks by PSCP")]
    assert ranks.startswith("ranks by PSCP, llama_7b: lora, ia3; ")
    assert "with parameters halved: ia3, lora" in ranks  # 50 / 3 against 40 / 2
    assert "with operations doubled: ia3, lora" in ranks
    assert "with parameters doubled" not in ranks
    assert "memory" not in ranks  # the same for both


def test_ranks_that_stay_are_said_to_stay_and_one_row_has_none(tmp_path):
    clear = [cell("lora", 0.9, 1000, 0.0), cell("ia3", 0.3, 1000, 0.0)]
    made = table(tmp_path / "two", *clear, columns=("pscp",))
    assert any(note.endswith("lora, ia3; the same with each constant halved or doubled") for note in made.notes)
    made = table(tmp_path / "one", clear[0], columns=("pscp",))
    assert not any(note.startswith("ranks by PSCP") for note in made.notes)


def test_pscp_of_memory_measured_on_another_device_is_left_out(tmp_path):
    on_cpu = cell("ia3", 0.4, 1000, 0.0)
    assert on_cpu.memory is not None
    on_cpu.memory.measure = "rss"
    made = table(tmp_path, cell("lora", 0.5, 1000, 0.0), on_cpu, columns=("pscp",))
    assert rows(made)["ia3"].entries["pscp"].status == "not_measured"
    assert rows(made)["lora"].entries["pscp"].value is not None


def test_the_command_takes_columns_and_constants_and_refuses_what_is_none(tmp_path, capsys):
    save(tmp_path, cell("lora", 0.5, 1000, 0.0))
    words = ("table", "experiment=runs", f"results_dir={tmp_path}", "definition=cost")
    assert run_command([*words, "columns=pscp", "pscp.memory=3e9"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "PSCP" in shown
    assert "/ 3 GB)^−1" in shown
    for wrong in ("columns=costs", "pscp.memory=much", "pscp.time=3"):
        assert run_command([*words, wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1, wrong
