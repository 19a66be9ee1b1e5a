"""What the README and the pages of docs/ show: fenced blocks, and the commands in them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = (
    "bench",
    "make",
    "pip",
    "python",
    "ray",
    "hf",
    "tensorboard",
    "mlflow",
    "wandb",
    "eval",
    "export",
    "source",
    r"scripts/\w+\.(?:sh|py)",
)
A_COMMAND = re.compile(rf"^(?:\$ |[A-Z_]+=\S* )*(?:{'|'.join(PROGRAMS)})\b(?![:/])")


@dataclass(frozen=True)
class Block:
    """A fenced block: `kind` and `marks` are the words behind the fence."""

    page: str
    line: int
    kind: str
    marks: tuple[str, ...]
    text: str

    def commands(self) -> list[list[str]]:
        """The words of each command, what stands behind # left out; a line that ends in \\ goes on in the next."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """A page's fenced blocks."""
    text, found = page.read_text(encoding="utf-8"), []
    for match in FENCED.finditer(text):
        kind, *marks = match["info"].split() or [""]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page.relative_to(ROOT).as_posix(), line, kind, tuple(marks), match["text"]))
    return found


def all_blocks() -> list[Block]:
    """Those of all pages."""
    return [block for page in PAGES for block in blocks(page)]


def within_sentences(page: Path) -> list[Block]:
    """Commands in a line of text, a block each, those left out that leave something to the reader: …, NAME, <this>."""
    text, name = FENCED.sub("", page.read_text(encoding="utf-8")), page.relative_to(ROOT).as_posix()
    found = re.findall(r"`((?:bench|make|python) [^`]+)`", text.replace("\n", " "))
    return [
        Block(name, 0, "sh", (), f"{one}\n") for one in found if not re.search(r"…|<|\b(?:NAME|COMMAND|FOLDER)\b", one)
    ]


def loose_commands(page: Path) -> list[str]:
    """Commands that stand in no block of commands: in one of another kind, or in an indented one."""
    text = page.read_text(encoding="utf-8")
    elsewhere = [line for block in blocks(page) if block.kind != "sh" for line in block.text.splitlines()]
    indented = [line[4:] for line in FENCED.sub("", text).splitlines() if line.startswith("    ")]
    return [line for line in [*elsewhere, *indented] if A_COMMAND.match(line)]


def written(page: Path, folder: Path) -> list[Path]:
    """Write into a folder the files that a page shows whole: blocks whose first line is a comment with a path."""
    paths = []
    for block in blocks(page):
        if named := re.match(r"# (\S+\.(?:py|yaml))(?:\s|$)", block.text):
            path = folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
            paths.append(path)
    return paths
