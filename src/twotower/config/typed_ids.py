"""Ids on the command line are what was typed: `users=[2_1,007,1e3]` names three texts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twotower.config.render import literal, render_value

__all__ = ["as_typed"]

_USERS = re.compile(r"(\+{0,2}users=)(.*)", re.DOTALL)
# A piece up to the next comma: quoted text, an interpolation with commas of its own, or neither.
_PIECE = re.compile(r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\$\{[^}]*\}|[^,])+""", re.DOTALL)


def as_typed(override: str) -> str:
    """`override` with the ids of `users=` quoted, where Hydra would read numbers, true or null.

    One id and ids without brackets make a list too; `users=null` stays: every user. What is quoted
    or interpolated already is left to Hydra.
    """
    found = _USERS.fullmatch(override)
    if found is None or found[2].strip().lower() in ("", "null", "[]"):
        return override
    value = found[2].strip()
    if value.startswith("[") and value.endswith("]"):
        value = value[1:-1]
    return f"{found[1]}[{','.join(_quoted(value))}]"


def _quoted(pieces: str) -> Iterator[str]:
    for piece in _PIECE.findall(pieces):
        text = piece.strip()
        done = text[:1] in ("'", '"') or "${" in text or "\\" in text or not text
        yield text if done else render_value(literal(text))
