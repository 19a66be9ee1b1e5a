"""Hooks of mkdocs (`make docs`): pages that are made from the registries, and links that hold on the site too."""

import os
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from scripts.documenting import links
from scripts.documenting.api import api
from scripts.documenting.commands import commands
from scripts.documenting.marks import titled
from scripts.documenting.methods import methods
from scripts.documenting.registries import claims, experiments, models, tables, tasks
from scripts.documenting.settings import settings
from scripts.publishing.publications import INDEX as RESULTS
from scripts.publishing.publications import publications

REPORTS = "report"  # a variable of `make site`, and the folder of the pages that it adds
MADE = (commands, settings, methods, models, tasks, tables, experiments, claims, api)


def on_files(files: Files, config: Any) -> Files:
    """Add the README, the generated pages, and a page for each file from outside `docs/` that a page links to."""
    made = {links.FIRST: (links.ROOT / "README.md").read_text(encoding="utf-8")}
    made |= {f"reference/{make.__name__}.md": make() for make in MADE}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    written = {
        file.src_uri: Path(file.abs_src_path).read_text(encoding="utf-8")
        for file in files.documentation_pages()
        if file.abs_src_path
    }
    for name, text in (written | made).items():
        for path in {links.in_repository(name, target) for target in links.targets(text)}:
            page = links.on_site(path)
            if page.startswith(links.SOURCES) and files.get_file_from_path(page) is None:
                files.append(File.generated(config, page, content=links.source_page(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links that hold in the repository into those of the site, and marks of commands into titles."""
    name = page.file.src_uri
    if name == RESULTS.name and REPORTS in os.environ:
        markdown += "".join(f'\n- <a href="{REPORTS}/{one.name}/index.html">{one.title}</a>' for one in publications())
    return markdown if name.startswith(links.SOURCES) else titled(links.for_site(name, markdown))
