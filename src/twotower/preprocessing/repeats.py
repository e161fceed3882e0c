"""Find repeated (user, item) pairs within a few bytes per row."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.types import ITEM, USER

__all__ = ["without_repeats"]

_ROW = "__row"
_AT_ONCE = 1_000_000


def without_repeats(log: pl.DataFrame, keep: Literal["first", "last"]) -> pl.DataFrame:
    """Return the first or last row of each (user, item) pair, in the order of `log`.

    `log.unique` keeps a table of all pairs, some 200 bytes per row; here pairs are packed into one
    number and sorted, 17 bytes per row, and only rows that repeat are compared as pairs.

    Example:
        >>> log = pl.DataFrame({USER: [1, 1, 1], ITEM: [5, 6, 5], "at": [0, 1, 2]})
        >>> without_repeats(log, "last")["at"].to_list()
        [1, 2]
    """
    repeated = _repeated(log)
    if repeated is None:
        return log
    rows = log.select(USER, ITEM, pl.int_range(pl.len()).alias(_ROW)).filter(repeated)
    kept = ~repeated
    kept[rows.unique([USER, ITEM], keep=keep, maintain_order=True)[_ROW].to_numpy()] = True
    return log.filter(kept)


def _repeated(log: pl.DataFrame) -> NDArray[np.bool_] | None:
    """Return [n] whether another row has the same pair; None if no row has."""
    if log.is_empty():
        return None
    users, n_users = _codes(log[USER])
    items, n_items = _codes(log[ITEM])
    if n_users * n_items >= 2**63:
        users, items = (log[key].rank("dense").to_numpy().astype(np.int64) for key in (USER, ITEM))
        n_items = int(items.max()) + 1
    pairs = users  # in place: a copy less
    pairs *= n_items
    pairs += items
    del users, items
    ordered = np.sort(pairs)
    equal = ordered[1:] == ordered[:-1]
    again = np.append(np.unique(ordered[1:][equal]), -1)  # -1 is no pair, so the search has an end
    del ordered, equal
    if len(again) == 1:
        return None
    repeated = np.empty(len(pairs), dtype=bool)
    for start in range(0, len(pairs), _AT_ONCE):  # np.isin would sort them all once more
        some = pairs[start : start + _AT_ONCE]
        repeated[start : start + _AT_ONCE] = again[np.searchsorted(again[:-1], some)] == some
    return repeated


def _codes(ids: pl.Series) -> tuple[NDArray[np.int64], int]:
    """Return [n] numbers from 0 that are equal where the ids are, and a bound above them."""
    if not ids.dtype.is_integer():
        ids = ids.rank("dense")
    low, high = int(ids.min()), int(ids.max())  # type: ignore[arg-type]
    if high - low >= 2**62:
        return _codes(ids.rank("dense"))
    numbers = ids.cast(pl.Int64).to_numpy(writable=True)
    numbers -= low
    return numbers, high - low + 1
