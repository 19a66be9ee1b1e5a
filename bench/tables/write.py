"""A table into files, by format."""

from collections.abc import Callable
from pathlib import Path

from bench.errors import UserError, unknown_name
from bench.system.links import own_file
from bench.system.terminal import warn
from bench.tables.definition.table import Table
from bench.tables.formats.csv_files import to_csv
from bench.tables.formats.latex import to_latex
from bench.tables.formats.markdown import to_markdown


def _html(table: Table) -> str:
    # Not at the top: figures need matplotlib, which other formats do without.
    from bench.tables.page.html import to_html

    return to_html([table])


TEXTS: dict[str, tuple[str, Callable[[Table], str]]] = {
    "latex": ("tex", to_latex),
    "markdown": ("md", to_markdown),
    "html": ("html", _html),
}
FORMATS = ("csv", *TEXTS, "all", "figures")


def write(table: Table, format: str, folder: str | Path) -> list[Path]:  # noqa: A002  # the word of the command
    """Write a table as `csv` (two files), `latex`, `markdown` or `html`, or as `all` of these; or its `figures`.

    Returns:
        The files' paths.

    Raises:
        UserError: an unknown format, or a folder that cannot be written to.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    folder = Path(folder)
    paths: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if format in {"csv", "all"}:
            paths += to_csv(table, folder)
        if format == "figures":
            from bench.tables.figures.drawing import write_figures  # needs matplotlib

            paths += write_figures(table, folder)
            if not paths:
                warn(f"{table.name}: nothing of this table can be drawn")
        for name, (suffix, render) in TEXTS.items():
            if format in {name, "all"}:
                path = own_file(folder / f"{table.name}.{suffix}")
                path.write_text(render(table), encoding="utf-8")
                paths.append(path)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    return paths
