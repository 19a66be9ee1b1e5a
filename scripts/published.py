"""Hold everything that is shown against the records in results/published, or write it anew from them.

    python -m scripts.published            what is not as the records give it: files, and figures in README and docs
    python -m scripts.published --write    the files of each publication anew, and what README and docs show of them

A publication is a folder with `publication.yaml` (what was run and on what, in words) and `records/`. From these come
`tables/`, `findings/` and `README.md`. README and docs may show a file of them, in the fenced block that follows, and
an entry of a table, rounded to the digits shown:

    <!-- shows: miniature-cpu/tables/miniature-glue.txt -->
    63.3<!-- = miniature-cpu miniature/mmlu miniature/llama full mmlu.accuracy_macro -->

Exit code 0: all is as records give it; 1: something is not, a line each; 2: a publication that says what it must not.
"""

import argparse
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rich.console import Console

from bench.errors import UserError
from bench.findings import echo, echo_to_markdown
from bench.tables import Options, Table, make_table, render_text
from bench.tables import write as write_table
from bench.tables.formats.markdown import to_markdown

ROOT = Path(__file__).parents[1]
PUBLISHED = Path("results/published")  # from the root, in which all of this runs: commands in the files name it so
WIDTH = 200  # of tables as text
BLOCK = re.compile(r"<!-- shows: (?P<file>\S+) -->\n```\n(?P<text>.*?)```\n", re.DOTALL)
FIGURE = re.compile(
    r"(?P<figure>-?[\d,]*\.?\d+)"
    r"<!-- = (?P<of>\S+) (?P<experiment>\S+) (?P<model>\S+) (?P<row>\S+) (?P<key>\S+) -->"
)


OPTIONAL = {"echoes", "remarks"}  # of `publication.yaml`
MARK = re.compile(r"<!-- (?:shows: |= )")


@dataclass(frozen=True)
class Publication:
    """What `publication.yaml` says.

    Attributes:
        name: the folder's.
        title: one line.
        machine: what it ran on, in words.
        commands: what made the records, in their order.
        tables: experiments, each shown by its own table.
        echoes: experiments that are held against the survey's order of methods.
        remarks: what a reader must know, in Markdown.
    """

    name: str
    title: str
    machine: str
    commands: tuple[str, ...]
    tables: tuple[str, ...]
    echoes: tuple[str, ...] = ()
    remarks: str = ""

    @property
    def records(self) -> str:
        """Their folder, relative to the root."""
        return f"{PUBLISHED}/{self.name}/records"


def publications() -> list[Publication]:
    """All that there are.

    Raises:
        UserError: one says something else than a publication does.
    """
    return [_publication(path) for path in sorted(PUBLISHED.glob("*/publication.yaml"))]


def _publication(path: Path) -> Publication:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    known = {field.name for field in fields(Publication)} - {"name"}
    given = data.keys() if isinstance(data, dict) else {"no mapping"}
    wrong = [*sorted(given - known), *sorted(known - OPTIONAL - given)]
    if wrong:
        raise UserError(f"{path}: {wrong[0]}; a publication has {', '.join(sorted(known))}")
    lists = {key: tuple(data.get(key) or ()) for key in ("commands", "tables", "echoes")}
    return Publication(path.parent.name, data["title"], data["machine"], remarks=data.get("remarks") or "", **lists)


@lru_cache(maxsize=64)
def table_of(publication: Publication, experiment: str) -> Table:
    """The table of one of its experiments."""
    return make_table(publication.records, experiment, options=Options())


def files_of(publication: Publication) -> dict[Path, str]:
    """Every file that its records give, by its path from the root.

    Raises:
        UserError: there are no records of an experiment, or some that do not go together.
    """
    folder, found = PUBLISHED / publication.name, dict[Path, str]()
    for experiment in publication.tables:
        table = table_of(publication, experiment)
        found[folder / "tables" / f"{table.name}.txt"] = as_text(table)
        with TemporaryDirectory() as scratch:
            for path in [path for kind in ("csv", "latex", "markdown") for path in write_table(table, kind, scratch)]:
                found[folder / "tables" / path.name] = path.read_text(encoding="utf-8")
    for experiment in publication.echoes:
        text = echo_to_markdown(echo(publication.records, experiment))
        found[folder / "findings" / f"{experiment.replace('/', '-')}.md"] = text
    found[folder / "README.md"] = "\n".join(_page(publication)) + "\n"
    return found


def as_text(table: Table) -> str:
    """The table as `bench table` prints it, without colours."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    render_text(table, console)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


def _page(publication: Publication) -> Iterator[str]:
    cells = [table_of(publication, experiment).records.cells for experiment in publication.tables]
    days = sorted({str(end)[:10] for frame in cells for end in frame["end"]})
    yield f"# {publication.title}\n"
    yield "Written by `python -m scripts.published --write` from `publication.yaml` and `records/`; do not edit.\n"
    yield f"- **Machine**: {publication.machine}"
    yield f"- **Days**: {days[0]} to {days[-1]}; {sum(map(len, cells))} cells"
    yield "- **Commands**:\n\n```\n" + "\n".join(publication.commands) + "\n```\n"
    if publication.remarks:
        yield publication.remarks.strip() + "\n"
    for experiment in publication.tables:
        table = table_of(publication, experiment)
        yield to_markdown(table)
        kinds = {"As text": "txt", "CSV": "wide.csv", "every cell": "long.csv", "LaTeX": "tex"}
        links = [f"[{title}](tables/{table.name}.{suffix})" for title, suffix in kinds.items()]
        yield f"{', '.join(links)}, [records](records/{experiment}); made by `{table.command}`\n"
    for experiment in publication.echoes:
        made = echo(publication.records, experiment)
        yield f"## The survey's order in {experiment}\n"
        yield f"{made.summary}. [Statement by statement](findings/{experiment.replace('/', '-')}.md).\n"


def wrong_in(text: str, where: str, every: Sequence[Publication]) -> Iterator[str]:
    """What a page shows of publications and is not what their records give, a line each."""
    read = len(BLOCK.findall(text)) + len(FIGURE.findall(text))
    if (marks := len(MARK.findall(text))) != read:
        yield f"{where}: {marks} marks of published figures, of which {read} can be read"
    for found in BLOCK.finditer(text):
        path = PUBLISHED / found["file"]
        if not path.is_file():
            yield f"{where}: shows {found['file']}, which is not there"
        elif path.read_text(encoding="utf-8") != found["text"]:
            yield f"{where}: shows another {found['file']} than there is"
    for found in FIGURE.finditer(text):
        value = _value(found.groupdict(), every)
        shown, digits = found["figure"].replace(",", ""), len(found["figure"].partition(".")[2])
        if value is None:
            yield f"{where}: {found[0]} names no entry of a published table"
        elif f"{value:.{digits}f}" != shown:
            records = f"the records of {found['experiment']} in {found['of']}"
            yield f"{where}: {found['figure']} is {value:.{digits}f} by {records}"


def with_published(text: str) -> str:
    """A page with the files that it shows as they are now."""
    return BLOCK.sub(
        lambda found: f"<!-- shows: {found['file']} -->\n```\n{_text(found['file'], found['text'])}```\n", text
    )


def _text(file: str, before: str) -> str:
    path = PUBLISHED / file
    return path.read_text(encoding="utf-8") if path.is_file() else before


def _value(asked: dict[str, str], every: Sequence[Publication]) -> float | None:
    """The entry's value, in the column's unit."""
    for publication in every:
        if publication.name == asked["of"] and asked["experiment"] in publication.tables:
            for block in table_of(publication, asked["experiment"]).blocks:
                for row in block.rows:
                    if (row.model, row.method) == (asked["model"], asked["row"]) and asked["key"] in row.entries:
                        return row.entries[asked["key"]].value
    return None


def pages() -> list[Path]:
    """README and docs."""
    return [Path("README.md"), *sorted(Path("docs").rglob("*.md"))]


def check() -> list[str]:
    """What is not as the records give it, a line each."""
    table_of.cache_clear()
    every, found = publications(), list[str]()
    for publication in every:
        expected = files_of(publication)
        for path, text in expected.items():
            if not path.is_file():
                found.append(f"{path} is not there")
            elif path.read_text(encoding="utf-8") != text:
                found.append(f"{path} is not what the records give")
        folders = (PUBLISHED / publication.name / name for name in ("tables", "findings"))
        there = sorted(path for folder in folders for path in folder.glob("*"))
        found += [f"{path} comes from no record" for path in there if path not in expected]
    for page in pages():
        found += wrong_in(page.read_text(encoding="utf-8"), str(page), every)
    return found


def write() -> None:
    """Write all of it anew."""
    table_of.cache_clear()
    for publication in publications():
        for path, text in files_of(publication).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := with_published(text)) != text:
            page.write_text(new, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write what records give")
    options: Any = parser.parse_args(arguments)
    os.chdir(ROOT)
    try:
        if options.write:
            write()
        problems = check()
    except UserError as error:
        print(f"published: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for line in problems:
        print(line)
    print(f"{len(publications())} publications; not as their records give it: {len(problems) or 'nothing'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
