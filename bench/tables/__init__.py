"""Tables, figures and pages from records alone; importing this imports no torch.

Subfolders by what they do: `definition`, `statistics`, `content`, `formats`, `figures`, `page`; `write` puts a table
into files. Read `content.build` first. The names below are what the commands call.
"""

from bench.tables.content.build import make_table
from bench.tables.definition.options import Options
from bench.tables.definition.table import Table
from bench.tables.formats.csv_files import to_csv
from bench.tables.formats.latex import to_latex
from bench.tables.formats.markdown import to_markdown
from bench.tables.formats.text import render_text
from bench.tables.write import FORMATS, write

__all__ = [
    "FORMATS", "Options", "Table", "make_table", "render_text", "to_csv", "to_latex", "to_markdown", "write",
]  # fmt: skip
