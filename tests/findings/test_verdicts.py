"""Each claim on made-up records that confirm it, refute it, and leave it undecided."""

import copy
import io
import json
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.cli.commands import run_command
from bench.configuration.cell import Cell
from bench.configuration.compose import Configurations
from bench.findings import Finding, evaluate, findings_to_json, findings_to_markdown, render_findings
from bench.findings.claims import load_claims
from bench.findings.evaluate import bootstrap, combine, decide, evaluate_claim
from bench.findings.evidence import Evidence
from bench.findings.protocol import SEEDS_TO_DECIDE
from bench.records.schema import Record, Status
from bench.sweeping.selection import select_cells, selected
from bench.tables import make_table
from tests.tables.made_records import make_record, save

GLUE = {
    "cola": ["matthews_correlation"], "sst2": ["accuracy"], "mrpc": ["accuracy", "f1"],
    "stsb": ["pearson", "spearman"], "qqp": ["accuracy", "f1"], "mnli": ["accuracy", "accuracy_mismatched"],
    "qnli": ["accuracy"], "rte": ["accuracy"],
}  # fmt: skip
METHODS = [
    "full", "adapter_s", "prompt_tuning", "prefix_tuning", "ia3", "bitfit", "child_tuning_d", "lora", "adalora", "mam",
    "propelt_adapter", "propelt_prefix", "propelt_lora",
]  # fmt: skip
# Averages above full fine-tuning (80), and trainable parameters of 100,000, as the survey has them.
BASE = dict(zip(METHODS, [80, 80.9, 70, 75, 76, 80.3, 80.2, 80.4, 78, 80.8, 81.3, 79, 79.5], strict=True))
LARGE = BASE | {"propelt_adapter": 81.65, "propelt_lora": 80.6, "child_tuning_d": 76}
SIZE = dict(zip(METHODS, [100_000, 3000, 10, 200, 50, 80, 100, 300, 400, 5000, 1500, 1200, 1100], strict=True))
# GB; adapter_s and mam about three times full fine-tuning.
MEMORY = dict(zip(METHODS, [5.38, 15.5, 3, 3.1, 3.2, 3.3, 6, 3.4, 3.5, 16.5, 7, 7.5, 8], strict=True))
RATES = [1e-5, 1e-4, 1e-3]


def records(change: dict[str, Any] | None = None, seeds: int = SEEDS_TO_DECIDE) -> list[Record]:
    """Records in which every claim holds, but for what `change` says: {"base.lora": 70, "memory.t5_base.ia3": 9, …}."""
    change = change or {}

    def value(key: str, default: float) -> float:
        return change.get(key, default)

    made = []
    for seed in range(seeds):
        noise = 0.0002 * seed
        for model, short, averages in (("roberta_base", "base", BASE), ("roberta_large", "large", LARGE)):
            for method in METHODS:
                average = value(f"{short}.{method}", averages[method]) / 100 + noise
                for task, metrics in GLUE.items():
                    score = value(f"{short}.{method}.{task}", 100 * average) / 100
                    made.append(
                        make_record(model, f"glue/{task}", method, seed, dict.fromkeys(metrics, score),
                                    experiment="survey/glue", trainable=int(value(f"size.{method}", SIZE[method])))
                    )  # fmt: skip
        for model, gains, lora in (("t5_base", (0.16, 0.36), 390), ("t5_large", (-0.01, -0.01), 320)):
            for method, gain, size in (("full", 0.0, 100_000), ("ia3", gains[0], 30), ("lora", gains[1], lora)):
                bleu = 27 + value(f"{model}.{method}", gain) + noise
                made.append(make_record(model, "wmt16", method, seed, {"bleu": bleu}, experiment="survey/wmt16",
                                        trainable=int(value(f"size.{model}.{method}", size))))  # fmt: skip
        for model in ("llama_7b", "llama_13b"):
            for method, below, size, jump in (
                ("full", 0, 100_000, 1),
                ("ia3", 3, 20, 1),
                ("lora", 2, 2000, 3),
                ("qlora", 2.2, 2000, 3),
            ):
                accuracy = (45 - value(f"{model}.{method}", below)) / 100 + noise
                step = value(f"jump.{method}", jump) / 100
                curve = [(at, 0.4 + step * (at % 2)) for at in range(6)]
                made.append(make_record(model, "mmlu", method, seed, {"accuracy_macro": accuracy},
                                        experiment="survey/mmlu", trainable=size, curve=curve))  # fmt: skip
        for rate in RATES:
            accuracy = 0.25 if rate == RATES[-1] else 0.25 + value("spread", 15) / 100
            made.append(make_record("llama_7b", "mmlu", "full", seed, {"accuracy_macro": accuracy},
                                    experiment="survey/learning_rate", training={"learning_rate": rate}))  # fmt: skip
    return made + [record for seed in range(seeds) for record in memory_records(value, seed)]


@cache
def memory_cells() -> dict[tuple[str, str], Cell]:
    """The cells of survey/memory as a sweep composes them, by model and method."""
    with Configurations() as configurations:
        cells = select_cells(["experiment=survey/memory"], configurations.compose, configurations.folders)
    return {(cell.model, cell.method): cell for _, cell in cells.values()}


def memory_records(value: Any, seed: int = 0) -> list[Record]:
    less = {"full": 1.0, "ia3": 0.7592, "lora": 0.737, "qlora": 0.3334}
    less_13b = {"full": 1.0, "ia3": 0.6645, "lora": 0.6054, "qlora": 0.2314}
    savers = {"prompt_tuning", "prefix_tuning", "ia3", "lora", "adalora", "bitfit"}
    peaks = {("roberta_base", method): MEMORY[method] for method in METHODS}
    # The savers save more on the larger model.
    peaks |= {("roberta_large", m): MEMORY[m] * (2.5 if m in savers else 3) for m in METHODS}
    peaks |= {("t5_base", m): 10 * factor for m, factor in (("full", 1), ("ia3", 0.8), ("lora", 0.75))}
    peaks |= {("t5_large", m): 30 * factor for m, factor in (("full", 1), ("ia3", 0.7), ("lora", 0.65))}
    peaks |= {("llama_7b", m): 160 * factor for m, factor in less.items()}
    peaks |= {("llama_13b", m): 290 * factor for m, factor in less_13b.items()}
    made = []
    for (model, method), peak in peaks.items():
        cell = memory_cells()[model, method]
        record = make_record(model, cell.task, method, seed, {"score": 0.5}, experiment="survey/memory",
                             train_peak=int(1e9 * value(f"memory.{model}.{method}", peak)))  # fmt: skip
        record.cell.config = copy.deepcopy(cell.config) | {"seed": seed}
        made.append(record)
    return made


# For each claim a change that makes the records refute it.
REFUTED_BY = {
    "glue-base-above": {"base.lora": 79},
    "glue-base-below": {"base.ia3": 81},
    "glue-large-above": {"large.bitfit": 79},
    "glue-large-below": {"large.child_tuning_d": 82},
    "propelt-best": {"base.mam": 90},
    "prompt-worst": {"base.ia3": 60},
    "adapter-more-and-better": {"large.lora": 81.5},
    "mam-over-prefix": {"size.mam": 100},
    "child-mnli-large": {"large.child_tuning_d.mnli": 80},
    "t5-ia3": {"t5_base.ia3": -2},
    "t5-lora": {"size.t5_large.lora": 900},
    "mmlu-ft-best": {"llama_7b.lora": -1},
    "mmlu-lr-sensitive": {"spread": 1},
    "mmlu-curve-noisy": {"jump.full": 9},
    "mem-roberta-base": {"memory.roberta_base.full": 9},
    "mem-roberta-less": {"memory.roberta_large.lora": 90},
    "mem-roberta-more": {"memory.roberta_base.mam": 8},
    "mem-t5": {"memory.t5_base.lora": 9},
    "mem-llama-7b": {"memory.llama_7b.qlora": 150},
    "mem-llama-13b": {"memory.llama_13b.full": 400},
    "mem-scale": {"memory.t5_large.ia3": 29},
}
CLAIMS = [claim.id for claim in load_claims()]


def found_of(folder: Path, claim: str) -> Finding:
    """What the records of a folder say of one claim; that of all of them takes seconds."""
    return evaluate_claim(next(item for item in load_claims() if item.id == claim), Evidence(str(folder)))


@pytest.fixture(scope="module")
def confirming(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confirming")
    save(folder, *records())
    return folder


@pytest.fixture(scope="module")
def confirmed(confirming: Path) -> dict[str, Finding]:
    return {finding.claim.id: finding for finding in evaluate(str(confirming))}


def test_every_claim_is_tested():
    assert set(REFUTED_BY) == set(CLAIMS)
    assert len(CLAIMS) == 21


@pytest.mark.parametrize("claim", CLAIMS)
def test_records_that_agree_confirm_it(confirmed, claim):
    finding = confirmed[claim]
    assert finding.verdict == "confirmed", [figure for figure in finding.figures if figure["verdict"] != "confirmed"]
    assert finding.figures
    assert not finding.missing
    assert not finding.commands
    told = [caveat.partition(":")[0] for caveat in finding.caveats]
    assert told == ([] if claim.startswith("mem-") else ["nothing was tuned, settings are as given"])


@pytest.mark.parametrize("claim", CLAIMS)
def test_records_that_disagree_refute_it(tmp_path, claim):
    table = next(item.table for item in load_claims() if item.id == claim)
    experiments = {"III": "glue", "IV": "wmt16", "V": "learning_rate", "VI": "mmlu", "fig4": "mmlu", "VII": "memory"}
    save(tmp_path, *(r for r in records(REFUTED_BY[claim]) if r.cell.experiment == f"survey/{experiments[table]}"))
    found = found_of(tmp_path, claim)
    assert found.verdict == "refuted"
    assert "refuted" in {figure["verdict"] for figure in found.figures}


@pytest.mark.parametrize("claim", CLAIMS)
def test_nothing_run_leaves_it_undecided_and_names_the_command(tmp_path, claim):
    found = found_of(tmp_path, claim)
    assert found.verdict == "undecided"
    assert found.missing
    assert all(command.startswith("bench sweep experiment=survey/") for command in found.commands)


def test_one_missing_method_leaves_it_undecided(tmp_path):
    save(tmp_path, *(record for record in records() if record.cell.method != "lora"))
    found = {claim: found_of(tmp_path, claim) for claim in ("glue-base-above", "glue-base-below")}
    assert found["glue-base-above"].verdict == "undecided"
    assert found["glue-base-above"].missing == ["lora on roberta_base: not run (survey/glue)"]
    command = f"bench sweep experiment=survey/glue model=roberta_base method=lora seed=0,1,2 results_dir={tmp_path}"
    assert found["glue-base-above"].commands == [command]
    assert found["glue-base-below"].verdict == "confirmed"


def test_trial_runs_decide_nothing(tmp_path):
    """Steps that a user cut short, also of an experiment whose own grid has few."""
    made = [record for record in records() if record.cell.experiment in {"survey/glue", "survey/memory"}]
    for record in made:
        record.cell.config["training"]["max_steps"] = 3
    save(tmp_path, *made)
    for claim in ("mam-over-prefix", "mem-roberta-base"):
        found = found_of(tmp_path, claim)
        assert found.verdict == "undecided"
        assert "trial runs only" in found.missing[0]


def without_gpu(made: list[Record]) -> None:
    for record in made:
        assert record.memory is not None
        record.memory.measure = "rss"


def test_memory_measured_without_a_gpu_decides_nothing(tmp_path):
    made = [record for record in records() if record.cell.experiment in {"survey/glue", "survey/memory"}]
    without_gpu(made)
    save(tmp_path, *made)
    found = found_of(tmp_path, "mem-roberta-base")
    assert found.missing == ["full on roberta_base: measured without a GPU"]


def test_one_seed_on_a_cpu_beside_one_on_a_gpu_decides_nothing(tmp_path):
    made = [*memory_records(lambda key, peak: peak), *memory_records(lambda key, peak: peak, 1)]
    without_gpu(made[: len(made) // 2])
    save(tmp_path, *made)
    found = found_of(tmp_path, "mem-roberta-base")
    assert found.missing == ["full on roberta_base: 1 of 2 seeds"]


CLEAN = {"study": "one", "trial": 3, "trials": 16, "on": "selection"}
CHOICES: dict[str, tuple[dict[str, dict[str, Any]], str | None]] = {
    "all alike": (dict.fromkeys(("mam", "prefix_tuning"), CLEAN), None),
    "one of two": ({"mam": CLEAN}, "prefix_tuning on roberta_base: not tuned, but mam on roberta_base by a study"),
    "unequal trials": (
        {"mam": CLEAN, "prefix_tuning": CLEAN | {"trials": 4}},
        "tuned by different budgets: mam on roberta_base by 16 trials, prefix_tuning on roberta_base by 4 trials",
    ),
    "another pruner": (
        {"mam": CLEAN, "prefix_tuning": CLEAN | {"pruner": "hyperband (reduction=3 rungs=3)"}},
        "tuned by different budgets: mam on roberta_base by 16 trials, prefix_tuning on roberta_base by 16 trials "
        "by hyperband (reduction=3 rungs=3)",
    ),
    "trials unknown": (
        {"mam": CLEAN, "prefix_tuning": {"study": "two", "on": "selection"}},
        "prefix_tuning on roberta_base: its study does not say how many trials it had",
    ),
    "on the reported rows": (
        {"mam": CLEAN, "prefix_tuning": CLEAN | {"on": "reported"}},
        "prefix_tuning on roberta_base: its settings were chosen on the reported rows",
    ),
    "both on the reported rows": (
        dict.fromkeys(("mam", "prefix_tuning"), CLEAN | {"on": "reported"}),
        "mam on roberta_base: its settings were chosen on the reported rows",
    ),
}


@pytest.mark.parametrize("case", CHOICES)
def test_only_settings_that_were_chosen_cleanly_and_equally_decide(tmp_path, case):
    chosen, why = CHOICES[case]
    made = [r for r in records() if r.cell.experiment == "survey/glue" and r.cell.method in ("mam", "prefix_tuning")]
    for record in made:
        if record.cell.method in chosen:
            record.cell.config["training"]["chosen_by"] = chosen[record.cell.method]
    save(tmp_path, *made)
    found = found_of(tmp_path, "mam-over-prefix")
    assert found.verdict == ("confirmed" if why is None else "undecided")
    assert found.missing == ([] if why is None else [why, why.replace("roberta_base", "roberta_large")])
    assert not found.commands
    assert not found.caveats
    expected = {"selection, 16 trials"} if why is None else None
    assert expected is None or {figure["selection"] for figure in found.figures} == expected


@pytest.mark.parametrize("change", [{}, {"base.mam": 60, "large.mam": 60}], ids=["agree", "disagree"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_decide_nothing_and_the_command_asks_for_three(tmp_path, seeds, change):
    made = [r for r in records(change, seeds) if r.cell.method in ("mam", "prefix_tuning")]
    save(tmp_path, *(record for record in made if record.cell.experiment == "survey/glue"))
    found = found_of(tmp_path, "mam-over-prefix")
    assert found.verdict == "undecided"
    assert f"mam on roberta_base: {seeds} seed{'s' * (seeds > 1)}; 3 decide" in found.missing
    assert [shlex.split(command)[2:-1] for command in found.commands] == [
        ["experiment=survey/glue", "model=roberta_base,roberta_large", "method=mam,prefix_tuning", "seed=0,1,2"]
    ]


def test_one_seed_is_enough_for_memory_and_counts_whoever_chose_the_rates(tmp_path):
    made = [r for r in records({"size.mam": 100}, 1) if r.cell.method in ("mam", "prefix_tuning", "full")]
    for record in made:
        record.cell.config["training"]["chosen_by"] = CLEAN if record.cell.method == "mam" else {}
    save(tmp_path, *made)
    assert found_of(tmp_path, "mam-over-prefix").verdict == "refuted", "it trains fewer parameters"
    assert not [line for line in found_of(tmp_path, "mem-roberta-base").missing if "seed" in line]


def test_the_best_evaluation_on_the_reported_rows_decides_nothing(tmp_path):
    made = [r for r in records() if r.cell.experiment == "survey/glue" and r.cell.method in ("mam", "prefix_tuning")]
    for record in made:
        record.cell.config["training"] |= {"keep_best": True, "evaluations": 5}
        assert record.metrics is not None
        record.metrics.notes = {"scored_on": {"splits": ["validation"], "along_training": True}}
    save(tmp_path, *made)
    found = found_of(tmp_path, "mam-over-prefix")
    assert found.verdict == "undecided"
    assert (
        found.missing[0] == "mam on roberta_base: the best of its evaluations on the reported rows, instead of the last"
    )


def test_cells_that_are_scored_to_choose_settings_decide_nothing(tmp_path):
    made = [r for r in records() if r.cell.experiment == "survey/glue" and r.cell.method in ("mam", "prefix_tuning")]
    for record in made:
        record.cell.config["data"]["score_on"] = "selection"
    save(tmp_path, *made)
    found = found_of(tmp_path, "mam-over-prefix")
    assert found.verdict == "undecided"
    assert found.missing[0] == "mam on roberta_base: not run (survey/glue)"


def test_a_folder_without_records_lists_every_claim_with_what_would_decide_it(tmp_path, capsys):
    assert run_command(["findings", f"results_dir={tmp_path / 'nowhere'}"]) == 0
    told = capsys.readouterr().out
    assert "0 confirmed, 0 refuted, 21 undecided of 21 claims" in told
    for claim in CLAIMS:
        (text,) = [part for part in told.split("undecided ") if part.startswith(f"{claim} ")]
        assert "would decide it: bench sweep experiment=survey/" in text


def test_the_table_of_the_memory_experiment_says_what_it_is_and_calls_nothing_a_trial(tmp_path):
    save(tmp_path, *memory_records(lambda key, peak: peak))
    notes = make_table(str(tmp_path), "survey/memory").notes
    assert not any("TRIAL" in note for note in notes)
    assert "attention: eager, not the default sdpa" in notes
    assert "random weights, synthetic data" in notes


def test_seeds_that_disagree_leave_it_undecided(tmp_path):
    made = []
    for seed, gap in enumerate((-0.02, 0.02, 0.03)):
        for method, score in (("full", 0.8), ("prefix_tuning", 0.8), ("mam", 0.8 + gap)):
            for model in ("roberta_base", "roberta_large"):
                made.append(make_record(model, "glue/rte", method, seed, {"accuracy": score}, experiment="survey/glue",
                                        trainable=SIZE[method]))  # fmt: skip
                made.append(make_record(model, "glue/sst2", method, seed, {"accuracy": score}, experiment="survey/glue",
                                        trainable=SIZE[method]))  # fmt: skip
    save(tmp_path, *made)
    found = found_of(tmp_path, "mam-over-prefix")
    assert found.verdict == "undecided"
    assert found.figures[0]["seeds"] == 3
    assert found.figures[0]["interval"][0] < 0 < found.figures[0]["interval"][1]
    assert any("more seeds" in item for item in found.missing)
    assert [shlex.split(command)[2:-1] for command in found.commands] == [
        ["experiment=survey/glue", "model=roberta_base,roberta_large", "method=mam,prefix_tuning", "seed=0,1,2,3,4,5"]
    ]


def test_every_command_selects_cells_when_it_is_pasted(tmp_path):
    results = tmp_path / "a folder"
    commands = {command for finding in evaluate(str(results)) for command in finding.commands}
    with Configurations() as configurations:
        compose = cache(lambda *overrides: configurations.compose(overrides))  # they name the same methods and models
        for command in sorted(commands):
            program, name, *arguments = shlex.split(command)
            assert (program, name, arguments[-1]) == ("bench", "sweep", f"results_dir={results}")
            cells = selected(arguments, lambda overrides: compose(*overrides))
            assert cells
        assert configurations.cell(cells[0]).config["results_dir"] == str(results)


def test_the_default_folder_is_not_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = {finding.claim.id: finding.commands for finding in evaluate("results")}
    sweep = "bench sweep experiment=survey/memory"
    assert commands["mem-t5"] == [f"{sweep} model=t5_base,t5_large method=full,ia3,lora"]
    assert commands["mem-roberta-base"] == [f"{sweep} model=roberta_base method=full"]


def test_memory_and_counts_have_as_many_seeds_as_were_run_and_an_interval(tmp_path):
    made = [record for record in records(seeds=3) if record.cell.experiment != "survey/memory"]
    for seed in range(3):
        made += memory_records(lambda key, peak, seed=seed: peak + (0.3 * seed if key.endswith("full") else 0), seed)
    save(tmp_path, *made)
    found = {finding.claim.id: finding for finding in evaluate(str(tmp_path))}
    for claim in ("mem-roberta-less", "mam-over-prefix", "t5-ia3", "mmlu-lr-sensitive", "mmlu-curve-noisy"):
        assert all(figure["seeds"] == 3 and figure["interval"] for figure in found[claim].figures), claim
    low, high = found["mem-roberta-less"].figures[0]["interval"]
    assert low < found["mem-roberta-less"].figures[0]["value"] < high


def test_memory_is_compared_within_one_experiment(tmp_path):
    """Lengths and attention differ between them, and memory with them."""
    everything = records()
    made = [r for r in everything if r.cell.experiment == "survey/memory" and r.cell.method != "lora"]
    made += [r for r in everything if r.cell.experiment == "survey/wmt16"]  # 2 GB each
    save(tmp_path, *made)
    figures = found_of(tmp_path, "mem-t5").figures
    found = {(figure["model"], figure["method"], figure["than"]): figure["value"] for figure in figures}
    assert found["t5_base", "ia3", "full"] == pytest.approx(-2)
    assert found["t5_base", "lora", "full"] == found["t5_base", "lora", "ia3"] == 0


def test_full_runs_decide_beside_trial_runs(tmp_path):
    made = [record for record in records() if record.cell.experiment == "survey/glue"]
    trials = copy.deepcopy(made)
    for record in trials:
        record.cell.config["training"]["max_steps"] = 3
    save(tmp_path, *made, *trials)
    assert found_of(tmp_path, "mam-over-prefix").verdict == "confirmed"


def test_several_settings_are_named_and_no_command_would_help(tmp_path):
    made = [record for record in records() if record.cell.experiment == "survey/glue"]
    again = [copy.deepcopy(record) for record in made if record.cell.method == "mam"]
    for record in again:
        record.cell.config["training"]["epochs"] = 7.0
    save(tmp_path, *made, *again)
    found = found_of(tmp_path, "mam-over-prefix")
    assert "mam on roberta_base: several settings, epochs=3; epochs=7" in found.missing[0]
    assert not found.commands


def test_a_task_that_ran_out_of_memory_leaves_the_largest_peak_unknown(tmp_path):
    made = [record for record in records(seeds=1) if record.cell.experiment == "survey/glue"]
    worst = next(r for r in made if (r.cell.model, r.cell.task, r.cell.method) == ("roberta_base", "glue/qqp", "full"))
    worst.status = Status.out_of_memory
    save(tmp_path, *made)
    evidence = Evidence(str(tmp_path))
    check = next(claim for claim in load_claims() if claim.id == "mem-roberta-base").checks[0]
    assert evidence._memory(("survey/glue", "memory"), "roberta_base", "full").missing.endswith("out of memory")
    assert evidence.figures(check, "VII", [("roberta_large", "full")])[0].values == (2.0,)


def test_all_formats_say_the_same(confirming):
    findings = evaluate(str(confirming))
    data = json.loads(findings_to_json(findings))["findings"]
    assert [item["id"] for item in data] == CLAIMS
    assert all({"id", "verdict", "figures", "missing"} <= item.keys() for item in data)
    console = Console(file=io.StringIO(), width=100)
    render_findings(findings, console)
    text, markdown = console.file.getvalue(), findings_to_markdown(findings)
    assert "21 confirmed, 0 refuted, 0 undecided of 21 claims" in text
    assert "21 confirmed, 0 refuted, 0 undecided of 21 claims" in markdown
    assert all(claim in text and claim in markdown for claim in CLAIMS)


@given(st.floats(-100, 100), st.floats(-50, 50), st.floats(0, 50))
def test_a_single_figure_is_decided_by_its_bounds(value, low, width):
    verdict = decide(value, None, low, low + width)
    if value not in {low, low + width}:
        assert verdict == ("confirmed" if low < value < low + width else "refuted")


def test_equal_is_neither_above_nor_below():
    assert decide(0.0, None, 0, None) == "refuted"
    assert decide(0.0, None, None, 0) == "refuted"
    assert decide(float("nan"), None, 0, None) == "undecided"
    assert decide(1.0, (-1.0, 3.0), 0, None) == "undecided"


def test_comparisons():
    assert combine("difference", [3.0, 1.0]) == 2.0
    assert combine("ratio", [3.0, 1.5]) == 2.0
    assert combine("reduction", [3.0, 4.0]) == 25.0
    assert combine("reduction", [3.0, 4.0, 2.0, 4.0]) == -25.0
    assert bootstrap("value", [np.array([1.0])]) is None
