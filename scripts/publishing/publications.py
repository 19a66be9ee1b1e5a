"""Publications: folders of records in results/published, what was run in words, and the files that come of them."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from bench.errors import UserError
from bench.findings import Echo, echo, echo_to_markdown
from bench.tables import Options, Table, make_table, render_text
from bench.tables import write as write_table
from bench.tables.definition.schema import read_yaml
from bench.tables.formats.markdown import to_markdown

PUBLISHED = Path("results/published")  # from the root, in which all of this runs: commands in the files name it so
INDEX = Path("docs/results.md")
WRITTEN = "Written by `python -m scripts.published --write`; do not edit.\n"
WIDTH = 200  # of tables as text
OPTIONAL = {"echoes", "remarks"}  # of `publication.yaml`


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
    data = read_yaml(path)
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


@lru_cache(maxsize=64)
def echo_of(publication: Publication, experiment: str) -> Echo:
    """One of its experiments, held against the survey's order of methods."""
    return echo(publication.records, experiment)


def look_again() -> None:
    """Forget what was read of records."""
    table_of.cache_clear()
    echo_of.cache_clear()


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
        text = echo_to_markdown(echo_of(publication, experiment))
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
    yield WRITTEN
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
        made = echo_of(publication, experiment)
        yield f"## The survey's order in {experiment}\n"
        yield f"{made.summary}. [Statement by statement](findings/{experiment.replace('/', '-')}.md).\n"


def index(every: Sequence[Publication]) -> str:
    """The page of all publications, from docs/."""
    lines = ["# Results", "", WRITTEN]
    if not every:
        return "\n".join([*lines, "Nothing has been published yet.", ""])
    lines += [
        "What was run, and what came of it: each figure is in a record, which is here too. Miniatures are artificial, "
        "and say nothing of real models.",
        "",
        "| results | machine | cells | the survey's order |",
        "| :--- | :--- | ---: | :--- |",
    ]
    for one in every:
        cells = sum(len(table_of(one, experiment).records.cells) for experiment in one.tables)
        found = "; ".join(f"{name}: {_agreement(one, name)}" for name in one.echoes)
        lines.append(f"| [{one.title}](../{PUBLISHED}/{one.name}/README.md) | {one.machine} | {cells} | {found} |")
    return "\n".join(lines) + "\n"


def _agreement(publication: Publication, experiment: str) -> str:
    counts = echo_of(publication, experiment).counts
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
