"""Every format of a fixed table, compared with a file; `BENCH_UPDATE_GOLDEN=1 pytest tests/tables` writes them anew."""

import html
import io
import json
import math
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from bench.records.columns import read_columns
from bench.records.finding import find_records
from bench.tables import Options, Table, make_table, render_text, to_csv, to_latex, to_markdown
from bench.tables.definition.frame import frame_of
from bench.tables.formats.csv_files import wide_frame
from bench.tables.page.html import to_html
from tests.tables.golden_records import EXPERIMENT, write_golden_records

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_golden_records(folder)
    return folder


@pytest.fixture(scope="module")
def table(results: Path) -> Table:
    return make_table(str(results), EXPERIMENT, "glue")


def text(table: Table) -> str:
    console = Console(file=io.StringIO(), width=100)
    render_text(table, console)
    return console.file.getvalue()


def compare(name: str, content: str, results: Path) -> None:
    content = content.replace(str(results), "RESULTS")
    path = GOLDEN / name
    if os.environ.get("BENCH_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    assert content == path.read_text(encoding="utf-8")


def test_text(table, results):
    compare("glue.txt", text(table), results)


def test_latex(table, results):
    compare("glue.tex", to_latex(table), results)


def test_markdown(table, results):
    compare("glue.md", to_markdown(table), results)


def test_html_without_figures(table, results):
    # Figures depend on the fonts and the version of matplotlib; the styles and scripts are files of their own.
    page = to_html([table], figures=False)
    compare("glue.html", re.sub(r"(?s)(<style>|<script>).*?(</style>|</script>)", r"\1\2", page), results)


def test_csv(table, results, tmp_path):
    for path in to_csv(table, tmp_path):
        compare(path.name, path.read_text(encoding="utf-8"), results)


def recorded(results: Path) -> pd.DataFrame:
    """The finished records, read with json and pandas alone: one row per cell."""
    records = [json.loads(path.read_text()) for path in sorted(results.rglob("record.json"))]
    rows = [
        {**record["parameters"], **record["cell"], **(record["metrics"] or {"values": {}})["values"]}
        | {"peak": record["memory"]["phases"]["train"]["peak_allocated"], **record["memory"]["train_peak_split"]}
        for record in records
        if record["status"] == "done"
    ]
    assert (len(records), len(rows)) == (23, 21)  # nothing is dropped on the way but what did not finish
    return pd.DataFrame(rows)


def written(table: Table, folder: Path) -> tuple[dict[str, str], pd.DataFrame]:
    """The table in every format as text, and its wide CSV by method."""
    texts = {
        "text": text(table),
        "markdown": html.unescape(to_markdown(table)),
        "html": to_html([table], figures=False),
    }
    texts["latex"] = to_latex(table).replace(r"$\pm$", "±").replace("$-$", "−").replace("{[}", "[").replace("{]}", "]")
    return texts, pd.read_csv(to_csv(table, folder)[1]).set_index("method")


def everywhere(shown: str, texts: dict[str, str]) -> None:
    for name, content in texts.items():
        assert shown in content, (name, shown)


def test_scores_agree_with_pandas_on_the_records(table, results, tmp_path):
    cells = recorded(results)
    texts, wide = written(table, tmp_path)
    for task, metric in (("cola", "matthews_correlation"), ("sst2", "accuracy"), ("mrpc", "accuracy"), ("mrpc", "f1")):
        by_method = 100 * cells[cells["task"] == f"miniature/{task}"].groupby("method")[metric].agg(["mean", "std"])
        key = f"{task}.{metric}"
        assert set(by_method.index) == set(wide[key].dropna().index)
        for method, (mean, std) in by_method.iterrows():
            assert wide.at[method, key] == pytest.approx(mean, rel=1e-12)
            assert wide.at[method, f"{key}.std"] == pytest.approx(std, rel=1e-12, nan_ok=True)
            everywhere(f"{mean:.2f} (1/2)" if math.isnan(std) else f"{mean:.2f} ± {std:.2f}", texts)


def test_averages_and_shares_agree_with_pandas_on_the_records(table, results, tmp_path):
    cells = recorded(results)
    cells["task_score"] = 100 * cells[["matthews_correlation", "accuracy", "f1"]].mean(axis=1)
    by_task = cells.pivot_table("task_score", ["method", "seed"], "task")
    texts, wide = written(table, tmp_path)
    for method in ("full", "lora"):
        by_seed = by_task.loc[method].mean(axis=1)
        assert wide.at[method, "average"] == pytest.approx(by_seed.mean(), rel=1e-12)
        assert wide.at[method, "average.std"] == pytest.approx(by_seed.std(), rel=1e-12)
        everywhere(f"{by_seed.mean():.2f} ± {by_seed.std():.2f}", texts)
    # A seed of one task is missing: each task's own seeds are averaged, and no deviation is given.
    assert wide.at["ia3", "average"] == pytest.approx(by_task.loc["ia3"].mean().mean(), rel=1e-12)
    assert math.isnan(wide.at["ia3", "average.std"])
    everywhere(f"{by_task.loc['ia3'].mean().mean():.2f} (1/2)", texts)
    assert wide["average"].notna().sum() == 3  # bitfit lacks a task, and mam was never run
    shares = (100 * cells["trainable"] / cells["base_total"]).groupby(cells["method"]).median()
    for method, share in shares.items():
        assert wide.at[method, "trainable_of_base_total"] == pytest.approx(share, rel=1e-12)
        everywhere(f"{share:.2f}", texts)


def test_memory_and_what_is_saved_agree_with_pandas_on_the_records(results, tmp_path):
    cells = recorded(results)
    made = make_table(str(results), EXPERIMENT, "memory")
    texts, wide = written(made, tmp_path)
    measured = ["peak", "frozen_weights", "trainable_weights", "gradients", "optimiser_state", "activations", "rest"]
    mean = cells.groupby(["task", "method"])[measured].mean() / 1e6
    wide = wide.reset_index().set_index(["block", "method"]).rename(columns={"train_peak": "peak"})
    compared = 0
    for (task, method), sizes in mean.iterrows():
        row = wide.loc[(f"miniature RoBERTa on {task}", method)]
        for name, size in sizes.items():
            assert row[name] == pytest.approx(size, rel=1e-12)
            everywhere(f"{size:.2f}", texts)
        saved = 100 * (1 - sizes["peak"] / mean.at[(task, "full"), "peak"])
        assert row["train_peak_below_full"] == pytest.approx(saved, rel=1e-9, abs=1e-9)
        everywhere(f"{saved:.1f}", texts)
        compared += 1
    assert compared == 11


def test_intervals_agree_with_the_exact_bootstrap_of_two_seeds(results, tmp_path):
    # Of two values a resample's mean is the lower one a quarter of the times and the higher one another quarter, so
    # the middle 95 % reach from the one to the other.
    cells = recorded(results)
    texts, wide = written(make_table(str(results), EXPERIMENT, "glue", Options(interval=True)), tmp_path)
    cola = 100 * cells.groupby("method")["matthews_correlation"].agg(["min", "max"])
    for method, (low, high) in cola.iterrows():
        assert wide.at[method, "cola.matthews_correlation.low"] == pytest.approx(low, rel=1e-12)
        assert wide.at[method, "cola.matthews_correlation.high"] == pytest.approx(high, rel=1e-12)
        everywhere(f"[{low:.2f}, {high:.2f}]", texts)
    assert len(cola) == 4


def test_the_long_file_has_every_score_as_recorded(table, results, tmp_path):
    long = pd.read_csv(to_csv(table, tmp_path)[0])
    frame = frame_of(read_columns(find_records(results, EXPERIMENT)))
    recorded = sum(sum(metrics.values()) for metrics in frame["metrics"])
    assert long["value"].sum() == pytest.approx(recorded, rel=1e-14)
    assert (long["status"] == "missing").sum() == 7
    assert set(long["status"]) == {"done", "failed", "out_of_memory", "missing"}


def test_the_wide_frame_has_the_tables_shape(table):
    assert len(wide_frame(table)) == sum(len(block.rows) for block in table.blocks)
