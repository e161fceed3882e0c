"""The k-th smallest of values that are too many to sort."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

__all__ = ["order_statistic"]

_BINS = 65_536


def order_statistic(parts: Callable[[], Iterable[pl.Series]], k: int) -> dt.datetime:
    """Return the k-th smallest datetime, from 0, in at most five passes.

    Each pass counts values in bins of equal width; the next one splits the bin with the k-th.

    Args:
        parts: Yields all values, in parts, at each call.
        k: Less than the number of values.

    Example:
        >>> days = pl.Series([dt.datetime(2024, 1, day) for day in (5, 1, 3)])
        >>> order_statistic(lambda: [days[:2], days[2:]], 1)
        datetime.datetime(2024, 1, 3, 0, 0)
    """
    bounds = [(part.min(), part.max()) for part in parts() if len(part)]
    numbers = pl.Series([moment for pair in bounds for moment in pair], dtype=pl.Datetime("us"))
    low, high = (int(x) for x in (numbers.to_physical().min(), numbers.to_physical().max()))  # type: ignore[arg-type]
    while True:
        width = (high - low) // _BINS + 1
        counts = np.zeros(_BINS, dtype=np.int64)
        for part in parts():
            values = part.cast(pl.Datetime("us")).to_physical().to_numpy()
            inside = values[(values >= low) & (values <= high)]
            counts += np.bincount((inside - low) // width, minlength=_BINS)
        below = counts.cumsum()
        place = int(np.searchsorted(below, k, side="right"))
        k -= int(below[place] - counts[place])
        low += place * width
        high = min(high, low + width - 1)
        if width == 1:
            moment: dt.datetime = pl.Series([low]).cast(pl.Datetime("us"))[0]
            return moment
