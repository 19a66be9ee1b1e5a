"""What is said on a terminal: plain text, whatever it came from.

Records, YAML files, file names and other people's errors may hold characters that a terminal obeys (colours, titles,
clearing the screen) or that turn the order of letters around. They are shown, not sent.
"""

import sys
import unicodedata
from typing import TextIO

HARMLESS = frozenset("\n\t\u00ad\u200c\u200d")  # layout; and what scripts and emoji are written with
OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, formats such as bidi, half characters, line ends

_warned: set[str] = set()


def printable(text: object) -> str:
    r"""The text with every character that a terminal obeys written as an escape, `\x1b`, `\u202e`; JSON stays JSON."""
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(character if _is_harmless(character) else _escape(character) for character in plain)


def _is_harmless(character: str) -> bool:
    return character in HARMLESS or unicodedata.category(character) not in OBEYED


def _escape(character: str) -> str:
    if character < " ":  # JSON has none of these
        return f"\\x{ord(character):02x}"
    pairs = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{pairs[start : start + 4]}" for start in range(0, len(pairs), 4))


def say(text: object, stream: TextIO | None = None) -> None:
    """Print a line, on standard output unless another stream is given."""
    stream = stream or sys.stdout
    line = printable(text)
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def warn(text: str) -> None:
    """Say on standard error what is not as it should be and stops nothing; in a command, each line once."""
    line = " ".join(text.split())
    if line not in _warned:
        _warned.add(line)
        say(f"bench: warning: {line}", sys.stderr)


def forget_warnings() -> None:
    """A new command begins: what was warned of may be said again."""
    _warned.clear()
