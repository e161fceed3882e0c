"""The distinct rows of a table that a batch uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.core.compiled import linked

__all__ = ["BatchRows", "RowFinder", "find_rows", "forget_rows"]

Array = NDArray[Any]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads out near numbers


@dataclass(frozen=True)
class BatchRows:
    """Where a batch's entries are among its distinct rows.

    Attributes:
        rows: [R] int64, the distinct rows, in the order in which they first occur.
        slots: One array per array of entries, int32 of its shape: `rows[slots]` are the entries.
    """

    rows: Array
    slots: tuple[Array, ...]


class RowFinder:
    """Finds the distinct rows of batches, in time that does not depend on the table's size.

    A table of few rows has a place for each. For any other, places are those of a hash table that
    is twice as large as a batch has entries, so that it stays in a cache.
    """

    def __init__(self, n_rows: int) -> None:
        """Prepare for a table of `n_rows` rows."""
        self._n_rows = n_rows
        self._size = -1
        self.places = np.empty(0, np.int32)
        self.shift = 0

    def prepare(self, entries: int) -> None:
        """Prepare for batches of at most so many entries."""
        if entries <= self._size:
            return
        self._size = entries
        bits = max(2 * entries - 1, 1).bit_length()
        hashed = 1 << bits < self._n_rows
        self.shift = 64 - bits if hashed else 0
        # 1 + slot of a row in use; 0 between batches.
        self.places = np.zeros(1 << bits if hashed else self._n_rows, np.int32)
        self.rows = np.empty(entries, np.int64)

    def __call__(self, *entries: Array) -> BatchRows:
        """Return the distinct rows of all `entries`, int64 arrays."""
        self.prepare(sum(each.size for each in entries))
        slots, count = [], 0
        for each in entries:
            found = np.empty(each.size, np.int32)
            count = find_rows(each.ravel(), self.places, self.shift, self.rows, count, found)
            slots.append(found.reshape(each.shape))
        forget_rows(self.places, self.shift, self.rows, count)
        return BatchRows(self.rows[:count].copy(), tuple(slots))


@linked("int64(int64[::1], int32[::1], int64, int64[::1], int64, int32[::1])")
def find_rows(
    entries: Array, places: Array, shift: int, rows: Array, count: int, slots: Array
) -> int:
    """Write the slot of each entry; return how many distinct rows there are now."""
    last = np.uint64(len(places) - 1)
    for k in range(len(entries)):
        row = entries[k]
        h = np.uint64(row)
        if shift:
            h = (h * _SPREAD) >> np.uint64(shift)
        p = places[h]
        while p != 0 and rows[p - 1] != row:
            h = (h + np.uint64(1)) & last
            p = places[h]
        if p == 0:
            rows[count] = row
            count += 1
            p = np.int32(count)
            places[h] = p
        slots[k] = p - 1
    return count


@linked("void(int32[::1], int64, int64[::1], int64)")
def forget_rows(places: Array, shift: int, rows: Array, count: int) -> None:
    """Make all places free again."""
    if shift:
        places[:] = 0
    else:
        for r in range(count):
            places[rows[r]] = 0
