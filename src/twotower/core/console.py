"""What the terminal shows, as it is: names, ids, titles and paths are never read as markup."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from twotower.core.secrets import mask

__all__ = ["Formatter", "safe_output", "terminal", "visible"]

# Control characters, which move the cursor or colour what follows, and marks that turn the
# direction of text; line breaks and tabs are left.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

# What terminals are sent to draw colours and progress bars: no title, clipboard, query or mode.
_DRAWN = r"\x1b\[[0-9;]*[A-HJKm]|\x1b\[\?25[hl]"
_UNDRAWN = re.compile(rf"({_DRAWN})|[\x00-\x07\x0e-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    r"""Return `text` with control characters escaped as in Python, such as `\x1b`."""
    return _UNSEEN.sub(_escaped, text)


def terminal(*, soft_wrap: bool = True) -> Console:
    """Return a console that prints strings unchanged; styles are passed apart from the text.

    Args:
        soft_wrap: let the terminal break long lines, so that copied text has no breaks.
    """
    return _Plain(highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)


@contextmanager
def safe_output() -> Iterator[None]:
    """Mask secrets and escape control sequences in all that is printed, by libraries too.

    Colours and the sequences that draw progress bars are left.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Safe(before[0]), _Safe(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Safe:
    """A text stream before another one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(_UNDRAWN.sub(lambda m: m[1] or _escaped(m), mask(text)))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Formatter(logging.Formatter):
    """Log lines without control characters and secrets; the logging configuration names it."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(mask(super().format(record)))


class _Plain(Console):
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
