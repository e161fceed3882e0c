"""The rows of ids, found without reading all of them each time."""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twotower.dataset.ids import integers_where_exact

__all__ = ["IdRows", "ids_as_known"]


class IdRows:
    """Finds the row of an id by binary search.

    >>> IdRows(pl.Series([20, 7, 100])).of(pl.Series(["7", "8", "20"])).tolist()
    [1, -1, 0]
    """

    def __init__(self, known: pl.Series) -> None:
        """Sort the `known` ids, whose places are their rows."""
        texts = known.cast(pl.String)
        order = texts.arg_sort()
        self._sorted = texts.gather(order)
        self._rows = order.cast(pl.Int64).to_numpy()

    def of(self, asked: pl.Series) -> Tensor:
        """Return the row of each id, -1 where it is not known: [n] int64."""
        texts = asked.cast(pl.String)
        if not len(self._sorted) or not len(texts):
            return torch.full((len(texts),), -1)
        places = pl.Series(self._sorted.search_sorted(texts)).clip(0, len(self._sorted) - 1)
        found = (self._sorted.gather(places) == texts).to_numpy()
        return torch.from_numpy(np.where(found, self._rows[places.to_numpy()], -1))


def ids_as_known(asked: pl.Series, known: pl.Series) -> pl.Series:
    """Return `asked` ids in the type of `known`, or as text if one of them is no integer."""
    texts = asked.cast(pl.String)
    return texts if known.dtype == pl.String else integers_where_exact(texts)
