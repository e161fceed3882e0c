"""Parts of a frame or a column, whose copies take less memory than one of all rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import polars as pl

__all__ = ["slices"]

_ROWS = 1_000_000
_Rows = TypeVar("_Rows", pl.DataFrame, pl.Series)


def slices(rows: _Rows) -> Iterator[_Rows]:
    """Yield consecutive parts of `rows`, of a million each; nothing if there are none."""
    return (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
