"""Links of documents that are read in the repository too: where they lead, there and on the site.

On the site the README is the first page, and a text file from outside `docs/` (a configuration, a script) is a page of
its own below `source/`.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

ROOT = Path(__file__).parents[2]
FIRST = "index.md"  # the README's page
SOURCES = "source"
FENCE = re.compile(r"^(```.*?^```$)", re.MULTILINE | re.DOTALL)
WITHIN = re.compile(r"!?\[([^\]]*)\]\((?!https?:)[^)]*\)")  # a link to what is in the repository
LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")


def outside(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a page, each with whether it is outside of fenced blocks."""
    for number, part in enumerate(FENCE.split(text)):
        yield part, number % 2 == 0


def targets(text: str) -> list[str]:
    """What a page links to within the repository, or within itself."""
    found = [target for part, free in outside(text) if free for target in LINK.findall(part)]
    return [target for target in found if "://" not in target and not target.startswith("mailto:")]


def in_repository(page: str, target: str) -> str:
    """The path in the repository, from its root, that a page of the site links to; an anchor is left out."""
    folder = "" if page == FIRST else f"docs/{PurePosixPath(page).parent}"
    return normpath(f"{folder}/{target.partition('#')[0]}".lstrip("/")) if target.partition("#")[0] else _file(page)


def on_site(path: str) -> str:
    """The page of the site, or its picture, that shows a file of the repository."""
    if path == "README.md":
        return FIRST
    return path.removeprefix("docs/") if path.startswith("docs/") else f"{SOURCES}/{path}.md"


def for_site(page: str, text: str) -> str:
    """The page's text with its links as the site needs them."""

    def leads(match: re.Match[str]) -> str:
        target = match[0]
        if target not in targets(f"]({target})") or target.startswith("#"):
            return target
        _, hash_, anchor = target.partition("#")
        found = on_site(in_repository(page, target))
        return relpath(found, PurePosixPath(page).parent.as_posix()) + hash_ + anchor

    return "".join(LINK.sub(leads, part) if free else part for part, free in outside(text))


def source_page(path: str) -> str:
    """The page of a file from outside `docs/`; of Markdown what it links to in the repository is text alone.

    Raises:
        FileNotFoundError: a page links to what is not there, or to a folder.
    """
    file = ROOT / path
    if not file.is_file():
        raise FileNotFoundError(f"a page links to {path}, which is no file of the repository")
    text = file.read_text(encoding="utf-8")
    kind = {".py": "python", ".yaml": "yaml", ".cff": "yaml", ".sh": "sh"}.get(file.suffix, "text")
    return WITHIN.sub(r"\1", text) if file.suffix == ".md" else f"# {path}\n\n````{kind}\n{text}\n````\n"


def _file(page: str) -> str:
    return "README.md" if page == FIRST else f"docs/{page}"
