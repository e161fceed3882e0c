"""Ids on the command line are text as typed: `users=[2_1,007,1e3]` names three users."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from twotower.config.render import literal, render_value

__all__ = ["as_typed", "with_ids"]

_NAMED = ("run=", "runs=", "sweep=")
_NUMBER = re.compile(r"(?<=[=\[,])(\d+(?:e\d+)?)(?=[,\]]|$)")  # a whole value, or one of a list
_USERS = re.compile(r"(\+{0,2}users=)(.*)", re.DOTALL)
# A piece up to the next comma: quoted text, an interpolation with commas of its own, or neither.
_PIECE = re.compile(r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\$\{[^}]*\}|[^,])+""", re.DOTALL)


def with_ids(overrides: Sequence[str]) -> list[str]:
    """Return the overrides with ids quoted where Hydra would read numbers.

    These are the names of runs and sweeps, which may start like `5677e10`, and the ids of users
    (see `as_typed`).
    """
    quoted = [_NUMBER.sub(r"'\1'", o) if o.startswith(_NAMED) else o for o in overrides]
    return [as_typed(override) for override in quoted]


def as_typed(override: str) -> str:
    """Quote the ids of `users=` that Hydra would read as numbers, true or null.

    One id, and ids without brackets, become a list; `users=null` (every user) is unchanged, as are
    ids that are quoted or interpolated already.
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
