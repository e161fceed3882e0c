"""Nothing that a user has named is read as markup, moves the cursor or hides."""

from __future__ import annotations

import logging
import sys
from io import StringIO

import pytest
from rich.table import Table
from rich.text import Text

from twotower.core.console import Formatter, safe_output, terminal, visible
from twotower.core.markdown import code, escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[red]x[/red] [/y] :smile:", "[red]x[/red] [/y] :smile:"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\u202eb", "a\\u202eb"),
        ("naïve 中文", "naïve 中文"),
    ],
)
def test_every_string_is_shown_as_it_is(text: str, shown: str) -> None:
    console = terminal()
    table = Table(text, title=text, caption=text)
    table.add_row(text)
    table.add_row(Text(text))
    with console.capture() as captured:
        console.print(text)
        console.print(Text(text), style="bold red")
        console.print(table)
    assert captured.get().count(shown) == 7
    assert "\x1b" not in captured.get()


def test_line_breaks_and_tabs_stay() -> None:
    assert visible("a\n\tb\r\x07") == "a\n\tb\\r\\x07"


def test_log_lines_hold_no_control_characters() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "data: %s", ("a\x1b[2Jb",), None)
    assert Formatter("%(message)s").format(record) == "data: a\\x1b[2Jb"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),  # sets the title of the window
        ("\x1b]52;c;cm0gLXJm\x07", "\\x1b]52;c;cm0gLXJm\\x07"),  # writes to the clipboard
        ("\x1b[6n", "\\x1b[6n"),  # is answered as if it was typed
        ("\x1bc\x9b31m", "\\x1bc\\x9b31m"),
        ("\x1b[1;31mred\x1b[0m\r50%\x1b[K\n", "\x1b[1;31mred\x1b[0m\r50%\x1b[K\n"),
    ],
)
def test_what_libraries_print_cannot_control_the_terminal(
    text: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with safe_output():
        print(text, end="")
    assert out.getvalue() == shown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("emb_dim=32", "emb_dim=32"),
        ("a | b", "a \\| b"),
        ("<script>x</script>", "\\<script\\>x\\</script\\>"),
        ("**a** __b__ `c` [d](e)", "\\*\\*a\\*\\* \\__b_\\_ \\`c\\` \\[d\\](e)"),
        ("two\nlines", "two lines"),
    ],
)
def test_text_in_markdown_stays_text(text: str, markdown: str) -> None:
    assert escaped(text) == markdown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [("a b", "`a b`"), ("a `b` c", "``a `b` c``"), ("`x`", "`` `x` ``"), ("a\nb", "`a b`")],
)
def test_code_in_markdown_stays_code(text: str, markdown: str) -> None:
    assert code(text) == markdown
