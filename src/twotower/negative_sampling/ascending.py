"""Ascending values of rows, and how many of them are not above a limit."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.compiled import compiled

__all__ = ["AscendingRows"]


class AscendingRows:
    """Rows of any number of integers each, ascending.

    Example:
        Of row 1, which holds 2 and 5, none is at most 1, one at most 4 and both at most 5.

        >>> rows = AscendingRows(torch.tensor([0, 3, 5]), torch.tensor([1, 1, 7, 2, 5]), 10)
        >>> rows.count_up_to(torch.tensor([1]), torch.tensor([[1, 4, 5]]))
        tensor([[0, 1, 2]])
    """

    def __init__(self, offsets: Tensor, values: Tensor, below: int | Tensor) -> None:
        """Take the rows.

        Args:
            offsets: [n_rows + 1] int64, row r owns values[offsets[r]:offsets[r + 1]].
            values: [n] int64, 0 or more.
            below: A number that exceeds all values and limits.
        """
        self._offsets = offsets
        self._values = values
        self._below = below
        if values.device.type != "cpu":
            rows = torch.repeat_interleave(offsets.diff())
            self._keys = rows * below + values  # ascending over the whole array

    def count_up_to(self, rows: Tensor, limits: Tensor) -> Tensor:
        """Return how many values of each row are at most its limits.

        Args:
            rows: [B] int64.
            limits: [B, N] int64.

        Returns:
            [B, N] int64.
        """
        if limits.device.type == "cpu":
            counts = torch.empty_like(limits, memory_format=torch.contiguous_format)
            arrays = (self._offsets, self._values, rows, limits.contiguous(), counts)
            _count_up_to(*(each.numpy() for each in arrays))
            return counts
        places = torch.searchsorted(self._keys, rows[:, None] * self._below + limits, right=True)
        return places - self._offsets[rows, None]


@compiled
def _count_up_to(
    offsets: NDArray[Any],
    values: NDArray[Any],
    rows: NDArray[Any],
    limits: NDArray[Any],
    counts: NDArray[Any],
) -> None:
    for b in range(len(rows)):
        start, end = offsets[rows[b]], offsets[rows[b] + 1]
        for n in range(limits.shape[1]):
            counts[b, n] = 0
        # The binary searches of a row take the same steps, so that they can take them together.
        length = end - start
        while length > 0:
            half = (length + 1) // 2
            for n in range(limits.shape[1]):
                found = values[start + counts[b, n] + half - 1] <= limits[b, n]
                counts[b, n] += half if found else 0
            length -= half
