"""What a user sees: a table from records, with everything that is missing shown as missing."""

import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from bench.cli.commands import run_command
from bench.errors import UserError
from bench.records.schema import MemorySplit, Status
from bench.records.store import read_record
from bench.system.terminal import forget_warnings
from bench.tables import Options, Table, make_table, render_text, to_csv, to_latex
from tests.tables.made_records import glue_grid, make_record, save

COLA, SST2, MRPC = "miniature/cola", "miniature/sst2", "miniature/mrpc"
SCORES = {
    COLA: {"matthews_correlation": 0.25},
    SST2: {"accuracy": 0.75},
    MRPC: {"accuracy": 0.5, "f1": 0.625},
}


def entry(table: Table, method: str, column: str, block: int = 0):
    row = next(row for row in table.blocks[block].rows if row.method == method)
    return row.entries[column]


def shown(table: Table, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    render_text(table, console)
    return console.file.getvalue()


def test_a_full_grid_has_scores_in_percent_and_averages(tmp_path):
    grid = glue_grid(["full", "lora"], [*SCORES], [0])
    for method in ("full", "lora"):
        save(
            tmp_path,
            *(make_record(task=task, method=method, scores=scores, grid=grid) for task, scores in SCORES.items()),
        )
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert [column.key for column in table.columns][2:] == [
        "cola.matthews_correlation", "sst2.accuracy", "mrpc.accuracy", "mrpc.f1", "average",
    ]  # fmt: skip
    assert entry(table, "lora", "cola.matthews_correlation").value == 25.0
    assert entry(table, "lora", "average").value == pytest.approx((25 + 75 + (50 + 62.5) / 2) / 3)
    assert entry(table, "lora", "trainable_of_base_total").value == 1.0
    assert "miniature" in shown(table)
    assert "1 seed" in shown(table)


def test_missing_failed_and_out_of_memory_are_shown_and_forbid_the_average(tmp_path):
    grid = glue_grid(["full", "lora", "ia3", "bitfit"], [COLA, SST2], [0])
    save(
        tmp_path,
        make_record(task=SST2, method="full", grid=grid),
        make_record(task=COLA, method="lora", grid=grid, status=Status.failed),
        make_record(task=COLA, method="ia3", grid=grid, status=Status.out_of_memory),
        make_record(task=COLA, method="bitfit", grid=grid, status=Status.unsupported),
    )
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    text = shown(table)
    assert "—" in text
    assert "failed" in text
    assert "OOM" in text
    assert "n/a" in text
    assert all(entry(table, method, "average").value is None for method in ("full", "lora", "ia3", "bitfit"))
    assert any("4 cell(s) of the grid have not been run" in note for note in table.notes)


def test_a_method_that_never_ran_has_its_row(tmp_path):
    save(tmp_path, make_record(task=SST2, method="full", grid=glue_grid(["full", "lora"], [SST2], [0])))
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert entry(table, "lora", "sst2.accuracy").status == "missing"
    assert [row.title for row in table.blocks[0].rows] == ["full", "LoRA"]


def test_seeds_are_averaged_and_counted(tmp_path):
    grid = glue_grid(["full", "lora"], [SST2], [0, 1, 2])
    values = [0.5, 0.6, 0.8]
    save(
        tmp_path, *(make_record(method="full", seed=s, scores={"accuracy": v}, grid=grid) for s, v in enumerate(values))
    )
    save(
        tmp_path,
        make_record(method="lora", seed=0, grid=grid),
        make_record(method="lora", seed=1, grid=grid, status=Status.failed),
    )
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    full, lora = (entry(table, method, "sst2.accuracy") for method in ("full", "lora"))
    assert full.value == pytest.approx(100 * pd.Series(values).mean())
    assert full.deviation == pytest.approx(100 * pd.Series(values).std())
    assert (full.seeds, full.expected, lora.seeds, lora.expected) == (3, 3, 1, 3)
    assert "(1/3)" in shown(table)
    median = make_table(str(tmp_path), "miniature/glue", "glue", Options(statistic="median"))
    assert entry(median, "full", "sst2.accuracy").value == 60.0


def test_a_score_that_is_not_a_number_is_not_left_out_of_the_mean(tmp_path):
    save(tmp_path, make_record(seed=0), make_record(seed=1, scores={"accuracy": float("nan")}))
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert "NaN" in shown(table)


def test_rows_are_grouped_by_category_and_models_are_blocks_the_smaller_first(tmp_path):
    for model, size in (("miniature/large", 500), ("miniature/base", 100)):
        save(
            tmp_path,
            *(make_record(model=model, method=m, base_total=size) for m in ("lora", "mam", "full", "bitfit", "ia3")),
        )
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert [block.title for block in table.blocks] == ["miniature/base", "miniature/large"]
    assert [row.category for row in table.blocks[0].rows] == [
        "Full fine-tuning", "Additive", "Partial", "Reparameterised", "Hybrid",
    ]  # fmt: skip


def test_the_newest_finished_record_of_a_cell_counts(tmp_path):
    save(
        tmp_path,
        make_record(scores={"accuracy": 0.1}, end="2026-01-01T00:00:00+00:00"),
        make_record(scores={"accuracy": 0.9}, end="2026-01-02T00:00:00+00:00", host="two"),
        make_record(status=Status.failed, end="2026-01-03T00:00:00+00:00"),
    )
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert entry(table, "lora", "sst2.accuracy").value == 90.0
    assert any("2 duplicate record(s)" in note for note in table.notes)


def test_records_of_other_machines_may_lie_deeper_and_are_named(tmp_path):
    save(tmp_path, make_record(seed=0), folder="machine-a/cell")
    save(tmp_path, make_record(seed=1, host="two", data={"root": "/elsewhere"}), folder="machine-b/cell")
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert entry(table, "lora", "sst2.accuracy").seeds == 2
    assert any("2 machines" in note for note in table.notes)


@pytest.mark.parametrize(
    ("versions", "noted"),
    [
        (({"sst2/train": "a", "sst2/validation": "b"}, {"sst2/train": "a", "sst2/validation": "c"}), True),
        (({"sst2/train": "a"}, {"sst2/train": "a", "sst2/validation": "b"}), False),
        (({"sst2": "a"}, {"sst2/train": "b"}), False),  # older records name no split
    ],
)  # fmt: skip
def test_records_of_other_data_are_named(tmp_path, versions, noted):
    records = [make_record(seed=seed) for seed in range(2)]
    for record, data in zip(records, versions, strict=True):
        record.environment["data"] = data
    save(tmp_path, *records)
    notes = make_table(str(tmp_path), "miniature/glue", "glue").notes
    assert any("2 different versions of its data" in note for note in notes) == noted


def test_miniature_and_real_records_never_mix(tmp_path):
    save(tmp_path, make_record(experiment="runs"), make_record("roberta_base", "glue/rte", experiment="runs"))
    table = make_table(str(tmp_path), "runs", "glue")
    assert not table.miniature
    assert [column.key for column in table.columns][2:] == ["rte.accuracy"]
    assert any("1 miniature record(s)" in note for note in table.notes)
    save(tmp_path, make_record(), make_record("roberta_base", "glue/rte"))
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert table.miniature
    assert [column.key for column in table.columns][2:] == ["sst2.accuracy"]
    assert table.title.startswith("Table III in miniature")


def test_two_tasks_that_end_in_the_same_word_have_columns_of_their_own(tmp_path):
    scores = {"glue/rte": 0.6, "mine/rte": 0.9}
    save(
        tmp_path,
        *(make_record("roberta_base", task, scores={"accuracy": v}, experiment="runs") for task, v in scores.items()),
    )
    for definition in ("glue", "scores"):
        table = make_table(str(tmp_path), "runs", definition)
        values = {key: found.value for key, found in table.blocks[0].rows[0].entries.items()}
        assert values["glue/rte.accuracy"] == 60.0
        assert values["mine/rte.accuracy"] == 90.0
        assert values["average"] == 75.0
        assert len({(column.group, column.title) for column in table.columns}) == len(table.columns)


def test_different_settings_are_shown_apart_never_averaged(tmp_path):
    save(
        tmp_path,
        make_record(training={"learning_rate": 1e-3}, scores={"accuracy": 0.2}),
        make_record(training={"learning_rate": 1e-4}, scores={"accuracy": 0.4}),
        make_record(method="full"),
    )
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    rows = {row.variant: row.entries["sst2.accuracy"].value for row in table.blocks[0].rows}
    assert rows == {"": 50.0, "learning_rate=0.001": 20.0, "learning_rate=0.0001": 40.0}
    assert any("shown apart: training.learning_rate" in note for note in table.notes)


def test_a_task_may_have_settings_of_its_own(tmp_path):
    save(
        tmp_path, make_record(task=SST2), make_record(task=COLA, scores=SCORES[COLA], training={"learning_rate": 1e-3})
    )
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert [row.variant for row in table.blocks[0].rows] == [""]
    assert any("learning rate 0.0001 to 0.001" in note for note in table.notes)


def test_the_learning_rate_is_a_row_key_of_table_v(tmp_path):
    rates = [3e-5, 1e-3, 1e-4]
    grid = [{"model": "llama_7b", "task": "mmlu", "method": "full", "training.learning_rate": [*rates, 1e-5]}]
    save(
        tmp_path,
        *(
            make_record("llama_7b", "mmlu", "full", scores={"accuracy_macro": 0.3}, experiment="survey/learning_rate",
                        training={"learning_rate": rate}, grid=grid)
            for rate in rates
        ),
    )  # fmt: skip
    table = make_table(str(tmp_path), "survey/learning_rate", "learning_rate")
    assert [row.keys for row in table.blocks[0].rows] == [("1e-05",), ("3e-05",), ("0.0001",), ("0.001",)]
    assert [row.entries["mmlu.accuracy_macro"].status for row in table.blocks[0].rows][:2] == ["missing", "done"]


def test_cells_that_only_a_setting_tells_apart_are_missed_and_told_apart_in_the_long_file(tmp_path):
    grid = [{"model": "llama_7b", "task": "mmlu", "method": "full", "training.learning_rate": [1e-5, "1e-4", 1e-3]}]
    for rate in (1e-5, 1.25e-3):
        save(
            tmp_path,
            make_record("llama_7b", "mmlu", "full", scores={"accuracy_macro": 0.3}, experiment="survey/learning_rate",
                        training={"learning_rate": rate}, grid=grid),
        )  # fmt: skip
    table = make_table(str(tmp_path), "survey/learning_rate", "learning_rate")
    assert any("2 cell(s) of the grid have not been run" in note for note in table.notes)
    long = pd.read_csv(to_csv(table, tmp_path)[0])
    rates = dict(zip(long["training.learning_rate"], long["status"], strict=True))
    assert rates == {1e-5: "done", 1.25e-3: "done", 1e-4: "missing", 1e-3: "missing"}
    assert long["training.batch_size"].tolist()[:2] == [32, 32]


def test_settings_on_the_command_line_make_no_cell_missing(tmp_path):
    grid = [{"model": "miniature/roberta", "task": SST2, "method": "lora", "model.attention": "eager", "seed": 0}]
    save(tmp_path, make_record(grid=grid))
    assert make_table(str(tmp_path), "miniature/glue", "glue").records.missing == []


def test_settings_of_a_peft_method_tell_cells_apart(tmp_path):
    grid = [{"model": "miniature/roberta", "task": SST2, "method": "peft/any", "peft.type": ["LOHA", "IA3"]}]
    record = make_record(method="peft/any", grid=grid)
    record.cell.config["method"]["settings"] = {"type": "IA3"}
    save(tmp_path, record)
    missing = make_table(str(tmp_path), "miniature/glue", "glue").records.missing
    assert [dict(cell.settings)["peft.type"] for cell in missing] == ["LOHA"]


def test_a_setting_that_is_a_number_here_and_a_word_there_is_text_in_the_long_file(tmp_path):
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "mine.yaml").write_text("title: x\nrows: [method, method.rank]\ncolumns: [{task: sst2}]\n")
    for rank in (8, "all"):
        record = make_record()
        record.cell.config["method"]["rank"] = rank
        save(tmp_path, record)
    table = make_table(str(tmp_path), "miniature/glue", "mine", config_dir=str(tmp_path))
    assert sorted(pd.read_csv(to_csv(table, tmp_path)[0])["method.rank"]) == ["8", "all"]


def test_the_speed_of_training_is_a_table(tmp_path):
    full, lora = make_record(method="full"), make_record()
    full.time.step_p50, lora.time.step_p50, lora.time.step_p95 = 0.04, 0.03, 0.05
    lora.time.tokens_per_second, lora.time.flops_per_second, lora.time.utilisation = 2500.0, 3e12, 0.25
    lora.time.load, lora.time.evaluate = 4.0, 5.0
    save(tmp_path, full, lora)
    table = make_table(str(tmp_path), "miniature/glue", "speed")
    values = [entry(table, "lora", column.key).value for column in table.columns]
    assert values == pytest.approx([30, 50, 25, 2500, 3000, 25, 100, 10, 5, 4])


def test_trial_runs_are_marked(tmp_path):
    save(tmp_path, make_record(training={"max_steps": 3}))
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert any(note.startswith("TRIAL RUNS: 1 of 1") and "training.max_steps=3" in note for note in table.notes)


def test_nothing_to_show_names_the_command(tmp_path):
    with pytest.raises(UserError, match="bench sweep experiment=survey/glue results_dir="):
        make_table(str(tmp_path), "survey/glue", "glue")
    save(tmp_path, make_record())
    with pytest.raises(UserError, match="shows none of the tasks"):
        make_table(str(tmp_path), "miniature/glue", "wmt16")
    with pytest.raises(UserError, match="did you mean glue"):
        make_table(str(tmp_path), "miniature/glue", "glu")


def test_an_unknown_experiment_is_called_so_and_the_nearest_named(tmp_path):
    with pytest.raises(UserError, match=r"unknown experiment 'miniature/glu'; did you mean miniature/glue"):
        make_table(str(tmp_path), "miniature/glu")
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text("name: own\n")
    with pytest.raises(UserError, match="no records of the experiment 'own'"):
        make_table(str(tmp_path), "own", config_dir=str(tmp_path / "mine"))
    (tmp_path / "miniature" / "glu").mkdir(parents=True)
    with pytest.raises(UserError, match="no records of the experiment 'miniature/glu'"):
        make_table(str(tmp_path), "miniature/glu")


def test_memory_of_the_miniature_is_in_megabytes_and_real_memory_in_gigabytes(tmp_path):
    split = MemorySplit(4_000_000, 40_000, 40_000, 80_000, 900_000, 0)
    save(tmp_path, make_record(split=split, train_peak=5_060_000))
    table = make_table(str(tmp_path), "miniature/glue", "memory")
    assert entry(table, "lora", "train_peak").value == pytest.approx(5.06)
    assert entry(table, "lora", "gradients").value == pytest.approx(0.04)
    assert "Peak MB" in shown(table)
    assert "1 MB = 10⁶ bytes" in shown(table)
    save(tmp_path, make_record("roberta_base", "glue/rte", experiment="survey/memory", train_peak=5_380_000_000))
    table = make_table(str(tmp_path), "survey/memory")
    assert entry(table, "lora", "train_peak").value == pytest.approx(5.38)
    assert "Peak GB" in shown(table)
    assert "1 GB = 10⁹ bytes" in shown(table)


def test_latex_names_the_command_that_makes_it_again(tmp_path):
    save(tmp_path, *(make_record(seed=seed, scores={"accuracy": 0.5 + seed / 10}) for seed in range(3)))
    options = Options(statistic="median", interval=True, level=0.9)
    made = make_table(str(tmp_path), "miniature/glue", "memory", options)
    command = to_latex(made).splitlines()[0].partition("made by: ")[2]
    assert command == (
        f"bench table experiment=miniature/glue results_dir={tmp_path} definition=memory "
        "statistic=median interval=true level=0.9 format=latex"
    )
    assert run_command([*shlex.split(command)[1:], f"out={tmp_path / 'again'}"]) == 0
    assert (tmp_path / "again" / "miniature" / "glue" / "miniature-glue-memory.tex").read_text() == to_latex(made)
    (tmp_path / "my own").mkdir()
    plain = make_table(str(tmp_path), "miniature/glue", config_dir=str(tmp_path / "my own"))
    assert f"--config-dir '{tmp_path / 'my own'}' format=latex" in to_latex(plain).splitlines()[0]


def test_a_wide_table_spans_both_columns_of_a_paper_in_latex(tmp_path):
    save(tmp_path, make_record("roberta_base", "glue/rte", experiment="survey/memory"))
    assert r"\begin{table*}" in to_latex(make_table(str(tmp_path), "survey/memory"))
    save(tmp_path, make_record("t5_base", "wmt16", scores={"bleu": 28.0}, experiment="survey/wmt16"))
    narrow = to_latex(make_table(str(tmp_path), "survey/wmt16"))
    assert r"\begin{table}" in narrow
    assert r"\end{table}" in narrow


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(lambda text: text[:100], "line 1"), (lambda text: text.replace('version": 2', 'version": 3'), "is newer than")],
)
def test_damaged_and_newer_records_are_left_out_by_name(tmp_path, capsys, spoil, why):
    forget_warnings()
    good, bad = save(tmp_path, make_record(), make_record(seed=1))
    bad.write_text(spoil(bad.read_text()))
    table = make_table(str(tmp_path), "miniature/glue", "glue")
    assert "1 record(s) cannot be read and are left out" in table.notes
    assert [*table.records.cells["path"]] == [str(good)]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.count(str(bad)) == 1
    assert why in line
    good.unlink()
    with pytest.raises(UserError, match="none of the 1 record"):
        make_table(str(tmp_path), "miniature/glue", "glue")


def test_older_records_are_migrated(tmp_path):
    path = save(tmp_path, make_record())[0]
    new = json.loads(path.read_text())
    old = {key: value for key, value in new.items() if key not in ("fingerprints", "origins", "warnings")}
    path.write_text(json.dumps(old | {"schema_version": 1}))
    assert make_table(str(tmp_path), "miniature/glue", "glue").blocks
    assert read_record(path).fingerprints == {}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_gets_the_columns_in_pieces(tmp_path, width):
    save(tmp_path, *(make_record(task=task, scores=scores) for task, scores in SCORES.items()))
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    render_text(make_table(str(tmp_path), "miniature/glue", "glue"), console)
    text = console.file.getvalue()
    assert "…" not in text
    for number in ("25.00", "75.00", "50.00", "62.50"):
        assert number in text


def test_importing_tables_and_findings_imports_no_torch():
    program = "import sys, bench.tables, bench.findings; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=root).returncode == 0
