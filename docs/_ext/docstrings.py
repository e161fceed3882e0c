"""Prepare docstrings for Sphinx: fields of a dataclass become a section, bars are plain text."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


_ENTRY = re.compile(r"^(?P<names>\w+(, \w+)*)( and \w+)?: ")
_FIRST = 400  # before napoleon, which reads the sections


def prepare(app: Sphinx, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Change the lines of one docstring in place."""
    if kind == "property":
        lines.insert(0, "")  # or napoleon takes what is before a colon for the type
    if is_dataclass(thing):
        names = {field.name for field in fields(thing)}
        entries = [number for number, line in enumerate(lines) if _documents(line, names)]
        if entries and "Attributes:" not in lines:
            _make_section(lines, entries[0])
    for number, line in enumerate(lines):  # |N| would refer to a substitution
        lines[number] = re.sub(r"\|(?=[^`]*(`[^`]*`[^`]*)*$)", r"\|", line)


def _documents(line: str, names: set[str]) -> bool:
    found = _ENTRY.match(line)
    return bool(found) and set(found["names"].split(", ")) <= names  # type: ignore[index]


def _make_section(lines: list[str], first: int) -> None:
    """Indent the paragraph that begins at `first` below a heading `Attributes:`."""
    end = next((n for n in range(first, len(lines)) if not lines[n].strip()), len(lines))
    body = [f"    {line}" for line in lines[first:end]]
    lines[first:end] = ["", "Attributes:", *body, ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to autodoc."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", prepare, priority=_FIRST)
    return {"parallel_read_safe": True}
