"""What settings mean: comments beside a dataclass's fields, and the `Attributes:` of docstrings."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from typing import Any

ENTRY = re.compile(r"(?P<names>\w+(?:, \w+)*): (?P<text>.*)")


def comments(kind: type[Any]) -> dict[str, str]:
    """For each field of a dataclass, or member of an enum, its own comments: those above it, and that behind it."""
    source = textwrap.dedent(inspect.getsource(kind))
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    said = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    alone = {line for line in said if source.splitlines()[line - 1].lstrip().startswith("#")}
    found = {}
    for node in next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)).body:
        if not isinstance(node, ast.AnnAssign | ast.Assign):
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        first = node.lineno
        while first - 1 in alone:
            first -= 1
        lines = [said[line] for line in range(first, (node.end_lineno or node.lineno) + 1) if line in said]
        found[ast.unparse(target)] = " ".join(lines)
    return found


def attributes(kind: type[Any]) -> dict[str, str]:
    """What the docstrings of a class and its bases say of attributes; the class itself goes first."""
    found: dict[str, str] = {}
    for one in kind.__mro__:
        _, _, section = inspect.cleandoc(one.__dict__.get("__doc__") or "").partition("Attributes:\n")
        entries = textwrap.dedent(section.split("\n\n")[0])
        for paragraph in re.split(r"\n(?=\S)", entries):
            if entry := ENTRY.fullmatch(" ".join(paragraph.split())):
                for name in entry["names"].split(", "):
                    found.setdefault(name, entry["text"])
    return found


def summary(kind: type[Any]) -> str:
    """A docstring down to its sections, as Markdown."""
    text = inspect.cleandoc(kind.__doc__ or "")
    return re.split(r"\n\n(?=(?:Attributes|Raises|Args):\n)", text)[0]
