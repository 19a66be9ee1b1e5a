"""The page of commands, from what `bench COMMAND --help` says."""

import re

from bench.cli.completion import COMPOSES, settings
from bench.cli.usage import HELP, USAGE
from scripts.documenting.markdown import code, page, table

TITLES = {"task": "bench task new", "reference": "bench reference set"}


def commands() -> str:
    """Every command with what it takes, and the examples of its help."""
    overview, _, rest = USAGE.partition("\n\n")
    names, _, more = rest.partition("\n\n")
    opening = f"{overview.rstrip('.')}.\n\n```text\n{names}\n```\n\n{more}"
    return page("Commands", "`bench/cli/usage.py`", opening, *(_command(name) for name in HELP))


def _command(name: str) -> str:
    usage, *paragraphs = HELP[name].rstrip("\n").split("\n\n")
    examples = paragraphs.pop() if paragraphs and paragraphs[-1].startswith("  bench ") else ""
    parts = [f"## {TITLES.get(name, f'bench {name}')}\n", f"```text\n{usage}\n```\n", *(f"{p}\n" for p in paragraphs)]
    if own := settings(name):
        rows = [[code(key), ", ".join(map(code, words)) or "a value"] for key, words in own.items()]
        parts.append(table(["its own settings", "words that it names"], rows))
    if COMPOSES in usage:
        parts.append("It takes every [setting of a cell](settings.md) too.\n")
    if examples:
        parts.append(f"```text\n{re.sub('^  ', '', examples, flags=re.MULTILINE)}\n```\n")
    return "\n".join(parts)
