"""Every format of a fixed table, compared with a file; `BENCH_UPDATE_GOLDEN=1 pytest tests/tables` writes them anew."""

import io
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from bench.records.columns import find_records, read_columns
from bench.tables import Table, make_table, render_text, to_csv, to_latex, to_markdown
from bench.tables.csv_files import wide_frame
from bench.tables.frame import frame_of
from bench.tables.html import to_html
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


def test_all_formats_agree_with_pandas_on_the_records(table, results, tmp_path):
    frame = frame_of(read_columns(find_records(results, EXPERIMENT)))
    done = frame[frame["status"] == "done"].assign(
        score=lambda f: [m.get("matthews_correlation") for m in f["metrics"]]
    )
    cola = done[done["task"] == "miniature/cola"].groupby("method")["score"]
    mean, deviation = 100 * cola.mean(), 100 * cola.std()
    wide = pd.read_csv(to_csv(table, tmp_path)[1]).set_index("method")
    printed, markdown, latex, page = text(table), to_markdown(table), to_latex(table), to_html([table], figures=False)
    for method in mean.index:
        assert wide.at[method, "cola.matthews_correlation"] == pytest.approx(mean[method], rel=1e-12)
        assert wide.at[method, "cola.matthews_correlation.std"] == pytest.approx(deviation[method], rel=1e-12)
        shown = f"{mean[method]:.2f} ± {deviation[method]:.2f}"
        assert shown in printed
        assert shown in markdown
        assert shown in page
        assert shown.replace("±", r"$\pm$") in latex
    scores = done[done["task"] != "miniature/cola"]
    assert len(scores) == 13  # the test's own premise: nothing was dropped on the way


def test_the_long_file_has_every_score_as_recorded(table, results, tmp_path):
    long = pd.read_csv(to_csv(table, tmp_path)[0])
    frame = frame_of(read_columns(find_records(results, EXPERIMENT)))
    recorded = sum(sum(metrics.values()) for metrics in frame["metrics"])
    assert long["value"].sum() == pytest.approx(recorded, rel=1e-14)
    assert (long["status"] == "missing").sum() == 7
    assert set(long["status"]) == {"done", "failed", "out_of_memory", "missing"}


def test_the_wide_frame_has_the_tables_shape(table):
    assert len(wide_frame(table)) == sum(len(block.rows) for block in table.blocks)
