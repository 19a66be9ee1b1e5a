"""Marks of commands that need more than this machine: ```` ```sh needs-gpu ````, and what the site says of each."""

import re

MARKS = {
    "needs-gpu": "Needs a GPU",
    "needs-hub": "Needs the Hugging Face hub, or its files in a folder",
    "needs-network": "Needs a network",
    "needs-extra": "Needs an extra of the package",
    "needs-slurm": "Needs SLURM",
    "needs-ray": "Needs a Ray cluster",
    "needs-hours": "Takes hours",
}
OPENED = re.compile(r"^```sh((?: [\w-]+)+)$", re.MULTILINE)


def titled(text: str) -> str:
    """Fenced commands with their marks as a title.

    Raises:
        KeyError: a mark that there is not.
    """
    return OPENED.sub(lambda match: f'```sh title="{"; ".join(MARKS[mark] for mark in match[1].split())}"', text)
