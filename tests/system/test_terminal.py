"""What a terminal obeys is shown, not sent."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from bench.system.console import PlainConsole
from bench.system.terminal import forget_warnings, printable, say, warn

SENT = ["\x1b[2J", "\x9b1m", "\x07", "\r", "\x00", "\x7f", "\u202e", "\u2066", "\u200f", "\u2028", "\ud800"]


@pytest.mark.parametrize("text", SENT)
def test_controls_and_bidi_are_escaped(text):
    assert printable(text).isprintable()
    assert "\\" in printable(text)


@pytest.mark.parametrize("text", ["plain", "zwei\nZeilen\t…", "中文", "שלום", "na\u200dive", "π ≈ 3"])
def test_other_text_is_as_it_was(text):
    assert printable(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_that_is_made_printable_says_the_same(text):
    written = json.dumps({"text": text}, ensure_ascii=False)
    assert json.loads(printable(written)) == {"text": text}
    assert "\x9b" not in printable(written)


def test_a_stream_that_lacks_a_letter_gets_its_escape():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    say("π \x1b", stream)
    stream.flush()
    assert raw.getvalue() == b"\\u03c0 \\x1b\n"


def test_a_console_sends_its_own_sequences_only():
    stream = io.StringIO()
    console = PlainConsole(file=stream, force_terminal=True, color_system="standard", width=80)
    table = Table("\x1b]0;title\x07")
    table.add_row("a wide cell, so that the column's head has room enough")
    console.print(table)
    console.print(Text("a\x1b[31mb\u202e", style="bold"))
    console.print("[x]\x9b2J", markup=False)
    shown = stream.getvalue()
    assert "\\x1b]0;title" in shown
    assert "a\\x1b[31mb\\u202e" in shown
    assert "\\u009b2J" in shown
    assert "\x1b[1m" in shown, "bold is rich's own"
    assert not {"\x07", "\x9b", "\u202e"} & set(shown)


def test_a_warning_is_said_once_in_a_command(capsys):
    forget_warnings()
    for _ in range(2):
        warn("a\n b")
    assert capsys.readouterr().err == "bench: warning: a b\n"
    forget_warnings()
    warn("a b")
    assert capsys.readouterr().err == "bench: warning: a b\n"
