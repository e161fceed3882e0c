"""Text of users inside Markdown, such as an MLflow description."""

from __future__ import annotations

import re

from twotower.core.console import visible

__all__ = ["code", "escaped"]

# An underscore inside a word is plain.
_SPECIAL = re.compile(r"([\\`*\[\]<>|&~]|(?<!\w)_|_(?!\w))")


def escaped(text: str) -> str:
    """Return `text` on one line, escaped: no emphasis, link, HTML or table cell begins in it."""
    return _SPECIAL.sub(r"\\\1", visible(" ".join(text.split())))


def code(text: str) -> str:
    """Return `text` on one line as code; it may contain backticks."""
    line = visible(" ".join(text.splitlines()))
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"
