"""Tables, figures and pages from records alone; importing this imports no torch.

The names below are what the commands call.
"""

from pathlib import Path

from bench.tables.build import make_table
from bench.tables.csv_files import to_csv
from bench.tables.latex import to_latex
from bench.tables.markdown import to_markdown
from bench.tables.options import Options
from bench.tables.table import Table
from bench.tables.text import render_text
from bench.tables.write import FORMATS, write

__all__ = [
    "FORMATS", "Options", "Table", "make_table", "render_text", "report", "to_csv", "to_latex", "to_markdown", "write",
]  # fmt: skip


def report(results_dir: str, out: str, config_dir: str | None = None) -> list[Path]:
    """Write everything that has been run into a folder; see `bench.findings.report`."""
    # Findings are made from tables; only here, on request, does the way lead on to them.
    from bench.findings.report import report as write_report

    return write_report(results_dir, out, config_dir)
