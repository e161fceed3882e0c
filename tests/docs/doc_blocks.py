"""The code blocks of Markdown pages, with the comments that change how a test runs them.

A comment above a block, which readers of the page do not see, is one of

    <!-- test: show: REASON -->               nothing of the block is run
    <!-- test: compose /TEXT/: REASON -->     commands with TEXT are composed, not run
    <!-- test: add /TEXT/: OVERRIDES -->      commands with TEXT run with these overrides, too
    <!-- test: before: COMMAND -->            this command runs first

without /TEXT/ for all commands of the block. A block whose first line (after `# @package _global_`)
is a comment with a path, as `# my_conf/loss/focal.yaml`, is written to that file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_ABOVE = re.compile(r"(?: *<!-- test: [^\n]* -->\n\n?)+$")
_MARK = re.compile(r"<!-- test: (?P<action>\w+)(?: /(?P<where>.+?)/)?: (?P<what>.+?) -->")
_FILE = re.compile(r"\A(?:# @package _global_\n)?# (?P<path>[\w./-]+\.(?:py|yaml|toml))\n")
_ACTIONS = ("show", "compose", "add", "before")


@dataclass(frozen=True)
class Mark:
    """A comment above a block: `what` is a reason, overrides or a command."""

    action: str
    where: str
    what: str


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        line: Number of its opening fence in the page, from 1.
        language: What follows the fence, such as `sh`.
        text: The lines between the fences.
        marks: The comments above it.
    """

    line: int
    language: str
    text: str
    marks: tuple[Mark, ...]

    @property
    def file(self) -> str | None:
        """Return the file that the block is the content of, if it names one."""
        found = _FILE.match(self.text)
        return found["path"] if found else None

    @property
    def shown(self) -> bool:
        """Return whether nothing of the block is run."""
        return any(mark.action == "show" for mark in self.marks)

    @property
    def commands(self) -> list[list[str]]:
        """Return the words of each command, comments and line continuations removed."""
        lines = self.text.replace("\\\n", " ").splitlines()
        words = [shlex.split(line, comments=True) for line in lines]
        return [command for command in words if command]

    def marked(self, action: str, command: list[str]) -> list[str]:
        """Return what the marks of one action say about a command."""
        text = " ".join(command)
        return [mark.what for mark in self.marks if mark.action == action and mark.where in text]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page that have a language, in order.

    Raises:
        ValueError: A comment above a block names no action.
    """
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        above = _ABOVE.search(text, 0, found.start())
        marks = tuple(
            Mark(mark["action"], mark["where"] or "", mark["what"])
            for mark in _MARK.finditer(above.group() if above else "")
        )
        line = text.count("\n", 0, found.start()) + 1
        if above and len(marks) != above.group().count("<!--"):
            raise ValueError(f"{page}:{line}: a comment above the block is not understood")
        if wrong := [mark.action for mark in marks if mark.action not in _ACTIONS]:
            raise ValueError(f"{page}:{line}: got {wrong[0]!r}; must be one of {_ACTIONS}")
        yield Block(line, found["language"], dedent(found["text"]), marks)
