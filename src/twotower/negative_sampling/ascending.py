"""Ascending values of rows, and how many of them are not above a limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from twotower.core.compiled import compiled
from twotower.negative_sampling.draws import random_words
from twotower.negative_sampling.item_weights import random_ranks

__all__ = ["AscendingRows"]

Array = NDArray[Any]


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
        if values.device.type == "cpu":
            self._guide = _guide_of(offsets.numpy(), values.numpy(), int(below))
        else:
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
            arrays = (rows, limits.contiguous(), counts)
            _count_up_to(*self._arrays, *(each.numpy() for each in arrays))
            return counts
        places = torch.searchsorted(self._keys, rows[:, None] * self._below + limits, right=True)
        return places - self._offsets[rows, None]

    def pass_over(
        self, rows: Tensor, totals: Tensor, widths: Tensor | None, n: int, generator: Generator
    ) -> Tensor:
        """Draw random points of lines, passing over the parts that may not be drawn.

        A line consists of `totals[r]` points that may be drawn and, before the one of number v for
        each value v of the row, of a part that may not.

        Args:
            rows: [B] int64.
            totals: [n_rows] int64, at most 2^52.
            widths: [number of values + 1] int64, of value k the width of its part and all before
                it is widths[k + 1]; None if each is 1.
            n: Points of each row.
            generator: Source of randomness.

        Returns:
            [B, n] int64, uniform among the points that may be drawn; 0 where there is none.
        """
        shape = (len(rows), n)
        words = random_words(2 * len(rows) * n, generator) if rows.device.type == "cpu" else None
        if words is not None:
            points = torch.empty(shape, dtype=torch.int64)
            widths = torch.empty(0, dtype=torch.int64) if widths is None else widths
            arrays: Any = (each.numpy() for each in (rows, totals, widths, points))
            _pass_over(*self._arrays, *(words, *arrays))
            return points
        points = random_ranks(shape, totals[rows, None], generator)
        passed = self.count_up_to(rows, points)
        if widths is not None:
            starts = self._offsets[rows, None]
            passed = widths[starts + passed] - widths[starts]
        return points + passed

    @property
    def _arrays(self) -> tuple[Array, ...]:
        return self._offsets.numpy(), self._values.numpy(), *self._guide


def _guide_of(offsets: Array, values: Array, below: int) -> tuple[Array, Array, Array]:
    """Return where to begin in each row, for limits in equal parts of the range below `below`.

    The method of Chen and Asau 1974 ("On generating random variates from an empirical
    distribution"): a row has about as many parts as values, so that few values follow the entry of
    a limit's part up to the limit, however long the row is.

    Returns:
        Of each row the bits by which limits are shifted to give their part, [n_rows] int64; where
        its parts begin, [n_rows + 1] int64; and the number of values below each part, [parts]
        int32.
    """
    bits = np.frexp(np.maximum(np.diff(offsets), 1))[1].astype(np.int64)
    shifts = np.maximum(int(below).bit_length() - bits, 0)
    starts = np.zeros(len(offsets), np.int64)
    np.cumsum((below >> shifts) + 1, out=starts[1:])
    counts = np.empty(starts[-1], np.int32)
    _fill_guide(offsets, values, shifts, starts, counts)
    return shifts, starts, counts


@compiled
def _fill_guide(offsets: Array, values: Array, shifts: Array, starts: Array, counts: Array) -> None:
    for row in range(len(shifts)):
        k = offsets[row]
        for part in range(starts[row + 1] - starts[row]):
            while k < offsets[row + 1] and values[k] < part << shifts[row]:
                k += 1
            counts[starts[row] + part] = k - offsets[row]


@compiled
def _count_up_to(
    offsets: Array,
    values: Array,
    shifts: Array,
    starts: Array,
    guide: Array,
    rows: Array,
    limits: Array,
    counts: Array,
) -> None:
    one = np.uint64(1)  # unsigned numbers are no indices from the end
    for b in range(len(rows)):
        row = np.uint64(rows[b])
        start, end = np.uint64(offsets[row]), np.uint64(offsets[row + one])
        shift, parts = np.uint64(shifts[row]), np.uint64(starts[row])
        for n in range(limits.shape[1]):
            limit = limits[b, n]
            k = start + np.uint64(guide[parts + (np.uint64(limit) >> shift)])
            k += np.uint64(k < end and values[k] <= limit)  # without a branch to be guessed
            while k < end and values[k] <= limit:
                k += one
            counts[b, n] = np.int64(k - start)


@compiled
def _pass_over(
    offsets: Array,
    values: Array,
    shifts: Array,
    starts: Array,
    guide: Array,
    words: Array,
    rows: Array,
    totals: Array,
    widths: Array,
    points: Array,
) -> None:
    one, two = np.uint64(1), np.uint64(2)
    places = points.shape[1]
    for b in range(len(rows)):
        # 53 bits of two words are a float64 below 1, as torch draws it.
        total = np.float64(totals[rows[b]]) / 9007199254740992
        for n in range(places):
            w = two * np.uint64(b * places + n)
            drawn = (np.int64(words[w] & np.uint32(0x1FFFFF)) << 32) | np.int64(words[w + one])
            points[b, n] = np.int64(np.float64(drawn) * total)
    for b in range(len(rows)):
        row = np.uint64(rows[b])
        start, end = np.uint64(offsets[row]), np.uint64(offsets[row + one])
        shift, parts = np.uint64(shifts[row]), np.uint64(starts[row])
        for n in range(places):
            point = points[b, n]
            k = start + np.uint64(guide[parts + (np.uint64(point) >> shift)])
            k += np.uint64(k < end and values[k] <= point)
            while k < end and values[k] <= point:
                k += one
            points[b, n] += widths[k] - widths[start] if len(widths) else np.int64(k - start)
