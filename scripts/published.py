"""Hold everything that is shown against the records in results/published, or write it anew from them.

    python -m scripts.published            what is not as the records give it: files, and figures in README and docs
    python -m scripts.published --write    the files of each publication anew, and what README and docs show of them
    python -m scripts.published --report FOLDER    for each publication the page of `bench report`, in FOLDER/NAME

A publication is a folder with `publication.yaml` (what was run and on what, in words) and `records/`. From these come
`tables/`, `findings/` and `README.md`. README and docs may show a file of them, in the fenced block that follows, and
an entry of a table, rounded to the digits shown:

    <!-- shows: miniature-cpu/tables/miniature-glue.txt -->
    63.3<!-- = miniature-cpu miniature/mmlu miniature/llama full mmlu.accuracy_macro -->

Exit code 0: all is as records give it; 1: something is not, a line each; 2: a publication that says what it must not.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.findings.report import report
from scripts.publishing.publications import (
    INDEX,
    PUBLISHED,
    Publication,
    files_of,
    index,
    look_again,
    publications,
    table_of,
)

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"<!-- shows: (?P<file>\S+) -->\n```\n(?P<text>.*?)```\n", re.DOTALL)
FIGURE = re.compile(
    r"(?P<figure>-?[\d,]*\.?\d+)"
    r"<!-- = (?P<of>\S+) (?P<experiment>\S+) (?P<model>\S+) (?P<row>\S+) (?P<key>\S+) -->"
)
MARK = re.compile(r"<!-- (?:shows: |= )")


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
    look_again()
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
    if not INDEX.is_file() or INDEX.read_text(encoding="utf-8") != index(every):
        found.append(f"{INDEX} is not what the records give")
    for page in pages():
        found += wrong_in(page.read_text(encoding="utf-8"), str(page), every)
    return found


def write() -> None:
    """Write all of it anew."""
    look_again()
    every = publications()
    for publication in every:
        for path, text in files_of(publication).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    INDEX.write_text(index(every), encoding="utf-8")
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := with_published(text)) != text:
            page.write_text(new, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write what records give")
    parser.add_argument("--report", metavar="FOLDER", type=Path, help="write a page of each, with its figures")
    options: Any = parser.parse_args(arguments)
    os.chdir(ROOT)
    try:
        if options.report is not None:
            for one in publications():
                print(report(one.records, str(options.report / one.name))[0])
            return 0
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
