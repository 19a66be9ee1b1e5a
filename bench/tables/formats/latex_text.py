r"""Any text as LaTeX that pdflatex compiles without further packages.

ASCII's special characters are escaped, accented Latin letters become accent commands, Greek and some symbols their
commands; what is left, such as Chinese, is written as its code point, `[U+4E2D]`: legible, and never an error.
"""

import re
import unicodedata

from bench.tables.definition.table import one_line

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "`": r"\textasciigrave{}",
    "[": "{[}", "]": "{]}",
}  # fmt: skip
LIGATURE = re.compile(r"(?<=[-,'])(?=[-,'])")  # two of these would be set as one other character
SYMBOLS = {
    "\u00a0": "~", "–": "--", "—": "---", "‘": "`{}", "’": "'{}", "“": "``", "”": "''", "…": r"\ldots{}",
    "±": r"$\pm$", "×": r"$\times$", "÷": r"$\div$", "−": "$-$", "·": r"$\cdot$", "≤": r"$\leq$", "≥": r"$\geq$",
    "≈": r"$\approx$", "≠": r"$\neq$", "→": r"$\rightarrow$", "←": r"$\leftarrow$", "∞": r"$\infty$",
    "°": r"$^\circ$", "µ": r"$\mu$", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}",
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
    "å": r"\aa{}", "Å": r"\AA{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "¹": "$^1$", "²": "$^2$", "³": "$^3$",
    "⁰": "$^0$", "⁴": "$^4$", "⁵": "$^5$", "⁶": "$^6$", "⁷": "$^7$", "⁸": "$^8$", "⁹": "$^9$", "£": r"\pounds{}",
}  # fmt: skip
GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
GREEK = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", GREEK_NAMES.split(), strict=True))
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0323": "d", "\u0326": "c", "\u0327": "c",
    "\u0331": "b",
}  # fmt: skip


def escape(text: str) -> str:
    """`text` as LaTeX of the same look, in ASCII."""
    plain = LIGATURE.sub("\0", unicodedata.normalize("NFC", one_line(text)))
    return "".join("{}" if character == "\0" else _character(character) for character in plain)


def _character(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    if character.isascii():
        return character
    if character in SYMBOLS:
        return SYMBOLS[character]
    if character in GREEK:
        return rf"$\{GREEK[character]}$"
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in ACCENTS:
        letter = {"i": r"\i", "j": r"\j"}.get(parts[0], parts[0])
        return rf"\{ACCENTS[parts[1]]}{{{letter}}}"
    return f"{{[}}U+{ord(character):04X}{{]}}"
