"""Fonts for names in any writing, and one line in place of matplotlib's many where there is none."""

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib.font_manager import fontManager

FIRST = "DejaVu Sans"  # comes with matplotlib
# Those that most systems have one of; matplotlib takes a glyph from the first that has it.
OTHERS = (
    "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR", "IPAGothic",
    "TakaoPGothic", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "Hiragino Sans", "PingFang SC",
    "Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Devanagari", "Noto Sans Thai", "Noto Emoji", "Symbola", "Unifont",
)  # fmt: skip
MISSING = re.compile(r"Glyph (\d+) .*missing from font")
_told: set[str] = set()


@cache
def families() -> list[str]:
    """The fonts to draw with, those that are installed: matplotlib warns of each that is not."""
    installed = {font.name for font in fontManager.ttflist}
    return [FIRST, *(name for name in OTHERS if name in installed)]


@contextmanager
def missing_glyphs_told(*, drawn: bool = True) -> Iterator[None]:
    """In place of a warning for each glyph that no font has, one line on stderr; once for each character.

    Args:
        drawn: whether these glyphs get drawn here, as boxes. Where they do not (the figure is only laid out, or stays
            text that a browser draws with its own fonts), nothing is said.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    found = [(warning, MISSING.match(str(warning.message))) for warning in caught]
    for warning, glyph in found:
        if glyph is None:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    characters = sorted({chr(int(glyph[1])) for _, glyph in found if glyph is not None} - _told)
    if drawn and characters:
        _told.update(characters)
        sys.stderr.write(
            f"bench: no installed font has {''.join(characters)}; figures show boxes there "
            "(the page does not; fonts such as Noto Sans CJK have most)\n"
        )
