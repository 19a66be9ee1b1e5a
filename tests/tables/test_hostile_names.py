"""Names and numbers of any kind: LaTeX compiles, HTML holds no markup of theirs, CSV comes back as it was."""

import io
import math
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.tables import make_table, render_text, to_csv, to_latex, to_markdown
from bench.tables.definition.table import Table, one_line
from bench.tables.formats.csv_files import plain_text
from bench.tables.formats.latex_text import escape as latex_escape
from bench.tables.formats.markdown import escape as markdown_escape
from bench.tables.formats.numbers import number_text
from bench.tables.page.html import to_html
from tests.tables.made_records import make_record, save

NASTY = [
    r"\input{/etc/passwd}", r"100% & more_$^{\\}~#", "<script>alert(1)</script>", '"><img src=x onerror=y>', "a|b\nc",
    "`code` **bold** [link](http://x)", "@everyone :smile: www.example.org", "名前 ñ Ω Ṩ 🎉 ﷽", "``quotes''--,,!`?`",
    "=1+1", "{{}}", "]]>", "</script>", "\\\\[1em]", "*", "[x]", "\u202eevil", "e\u0301\u0301\u0301", "$$", "^^M", "N",
]  # fmt: skip
# Titles are free text. The empty string and pandas' own words for "missing" come back as missing from any CSV.
MISSING = {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
           "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}  # fmt: skip
TITLES = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40))
NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([1e300, -1e300, 5e-324, 0.0, -0.0, 0.99999])
)


def table_of(title: str, number: float, folder: Path) -> Table:
    titles = {"method": title, "model": f"miniature {title}"}
    save(
        folder,
        make_record(titles=titles, scores={"accuracy": number}),
        make_record(method="full", scores={"accuracy": 0.5}),
    )
    return make_table(str(folder), "miniature/glue", "glue")


class Tags(HTMLParser):
    """Collects what a browser would see: elements and attribute names."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "div", "label", "select", "option", "input",
    "section", "table", "thead", "tbody", "tr", "th", "td", "button", "ul", "li", "script", "sup",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "class", "id", "value", "type", "colspan", "scope", "role",
    "hidden", "data-task", "data-index", "data-kind", "data-of-model", "data-of-task", "data-method", "data-words",
    "data-value", "data-rank", "data-tip", "tabindex",
}  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(TITLES, NUMBERS)
@example("</script><b>", float("nan"))
def test_every_format_takes_any_name_and_number(title, number):
    with tempfile.TemporaryDirectory() as scratch:
        table = table_of(title, number, Path(scratch))
        console = Console(file=io.StringIO(), width=100)
        render_text(table, console)
        assert to_latex(table).isascii()
        assert "\n\n\n" not in to_markdown(table)
        tags = Tags()
        tags.feed(to_html([table], figures=False))
        assert tags.seen <= ELEMENTS
        assert tags.attributes <= ATTRIBUTES
        long, wide = to_csv(table, Path(scratch) / "out")
        back, again = pd.read_csv(long), pd.read_csv(wide)
        lora = back[back["method"] == "lora"].iloc[0]
        if one_line(title) not in MISSING:
            assert lora["method_title"] == plain_text(one_line(title))  # no formula for a spreadsheet
            assert again.set_index("method").at["lora", "title"] == plain_text(one_line(title))
        same = math.isclose(lora["value"], number, rel_tol=1e-14)  # pandas before 3.1 reads some in their last digit
        assert same or (math.isnan(number) and math.isnan(lora["value"]))


@given(st.text())
def test_markdown_keeps_every_line_a_row(text):
    escaped = markdown_escape(text)
    assert not set("\n\r|<>`*_[]") & set(escaped)


@given(st.text(), st.text())
def test_latex_text_is_balanced_ascii(before, after):
    escaped = latex_escape(before + after)
    assert escaped.isascii()
    plain = escaped.replace(r"\{", "").replace(r"\}", "").replace(r"\\", "")
    assert plain.count("{") == plain.count("}")


@given(st.floats(), st.sampled_from(["score", "count", "percent", "GB", "s"]), st.integers(0, 6))
def test_numbers_are_short_and_never_minus_zero(value, unit, digits):
    text = number_text(value, unit, digits)
    assert not text.startswith(("-0.00", "−0.00 "))
    assert len(text) < 330 if unit == "count" else len(text) < 30


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed; `make test-latex` installs it")
def test_latex_compiles_with_any_name(tmp_path):
    words = [
        *NASTY,
        *(chr(code) * 2 for code in range(0x20, 0x250)),
        *"αβγδΩ±×÷−·≤≥≈≠→←∞°µ†‡§¶©ßæÆœŒøØåÅłŁı¹²³⁰⁴⁵⁶⁷⁸⁹£",
    ]
    parts = []
    for number, word in enumerate(NASTY):
        folder = tmp_path / str(number)
        parts.append(to_latex(table_of(word, (float("nan"), float("inf"), 1e300, 0.5)[number % 4], folder)))
    wide = to_latex(make_table(str(tmp_path / "0"), "miniature/glue", "memory"))
    assert r"\begin{table*}" in wide
    parts.append(wide)
    body = "\n\n".join(latex_escape(f"x{word}y {word}") for word in words)
    source = r"\documentclass[twocolumn]{article}\usepackage{booktabs,graphicx}\begin{document}" + "\n"
    (tmp_path / "all.tex").write_text(
        source + body + "\n\\clearpage\n".join(parts) + "\n\\end{document}\n", encoding="ascii"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
