"""Writes the support matrix of docs/models.md: `python -m scripts.document_models`.

Every method is tried on a tiny model of every kind, see `scripts.support`; what is refused has its reason below.
"""

import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

import transformers

from scripts.model_kinds import KINDS
from scripts.support import why_not
from tests.tiny import all_methods

COMMAND = "python -m scripts.document_models"
PAGE = Path(__file__).parents[1] / "docs" / "models.md"
BEGIN, END = f"<!-- written by {COMMAND}; do not edit -->", "<!-- end -->"
LEFT_OUT = ("peft/any", "compose", "hybrid")  # made of others, or of the library's


def methods() -> list[str]:
    """The methods of the matrix, in the order of their names."""
    return [name for name in all_methods() if name not in LEFT_OUT]


def matrix() -> str:
    """The section of the page."""
    names, reasons = methods(), dict[str, str]()
    rows = ["| | | " + " | ".join(name.replace("_", " ") for name in names) + " |", "|---|---|" + ":-:|" * len(names)]
    for family, kinds in KINDS.items():
        for kind in kinds:
            print(kind, file=sys.stderr)
            cells = (_cell(why_not(name, family, kind), reasons) for name in names)
            rows.append(f"| {kind} | {family.value.replace('_', '-')} | " + " | ".join(cells) + " |")
    return "\n".join([*rows, "", *_notes(reasons)])


def _cell(reason: str | None, reasons: dict[str, str]) -> str:
    if reason is None:
        return "✓"
    return reasons.setdefault(reason, f"<sup>{len(reasons) + 1}</sup>")


def _notes(reasons: dict[str, str]) -> Iterable[str]:
    return (f"{number} {reason}  " for reason, number in reasons.items())


def main() -> None:
    """Write the section into the page."""
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{matrix()}\n\n{END}{after}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    main()
