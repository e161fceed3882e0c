"""The distinct rows of a table that a batch uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.core.compiled import compiled

__all__ = ["BatchRows", "RowFinder"]

Array = NDArray[Any]


@dataclass(frozen=True)
class BatchRows:
    """Where a batch's entries are among its distinct rows.

    Attributes:
        rows: [R] int64, the distinct rows, in the order in which they first occur.
        slots: One array per array of entries, int64 of its shape: `rows[slots]` are the entries.
    """

    rows: Array
    slots: tuple[Array, ...]


class RowFinder:
    """Finds the distinct rows of batches, in time that does not depend on the table's size."""

    def __init__(self, n_rows: int) -> None:
        """Prepare for a table of `n_rows` rows."""
        self._place = np.zeros(n_rows, np.int32)  # 1 + slot of a row in use; 0 between batches
        self._rows = np.empty(0, np.int64)

    def __call__(self, *entries: Array) -> BatchRows:
        """Return the distinct rows of all `entries`, int64 arrays."""
        total = sum(each.size for each in entries)
        if total > len(self._rows):
            self._rows = np.empty(total, np.int64)
        slots, count = [], 0
        for each in entries:
            found = np.empty(each.size, np.int64)
            count = _find(each.ravel(), self._place, self._rows, count, found)
            slots.append(found.reshape(each.shape))
        rows = self._rows[:count].copy()
        self._place[rows] = 0
        return BatchRows(rows, tuple(slots))


@compiled
def _find(entries: Array, place: Array, rows: Array, count: int, slots: Array) -> int:
    """Write the slot of each entry; return how many distinct rows there are now."""
    for k in range(len(entries)):
        row = entries[k]
        p = place[row]
        if p == 0:
            rows[count] = row
            count += 1
            p = count
            place[row] = p
        slots[k] = p - 1
    return count
