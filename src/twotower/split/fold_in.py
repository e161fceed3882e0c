"""Fold-in: split the interactions of users that are not in train into known and ground truth."""

from __future__ import annotations

import numpy as np
import polars as pl

from twotower.split.cut import Cut
from twotower.types import FILE_ORDER, ITEM, TIMESTAMP, USER

_ROW, _DRAW = "__row", "__draw"


def fold_in(held: pl.DataFrame, share: float, seed: int) -> Cut:
    """Return the known interactions and the ground truth of the users of `held`, in its order.

    Strong generalisation (Marlin 2004, "Collaborative filtering: a machine learning perspective";
    Liang et al. 2018, WWW, "Variational autoencoders for collaborative filtering"): the user is
    unknown to training, and folded in by a part of their interactions.

    Args:
        held: interactions of the users that are held out; the order of its rows has no effect.
        share: the share of each user's rows that are known, oldest first, rounded down: at least
            one row is ground truth.
        seed: of the draw among rows of one moment whose order the file does not give, and among
            all rows if `held` has no timestamps.
    """
    time = [name for name in (TIMESTAMP, FILE_ORDER) if name in held.columns]
    rows = held.select(USER, ITEM, *time, pl.int_range(pl.len()).alias(_ROW))
    rows = rows.sort(USER, ITEM, *time, maintain_order=True)
    draw = pl.Series(_DRAW, np.random.default_rng(seed).permutation(len(rows)))
    rows = rows.with_columns(draw).sort(*time, _DRAW)
    place, count = pl.int_range(pl.len()).over(USER), pl.len().over(USER)
    # 0.29 of 100 is 28.999999999999996 in floating point; the share of people is 29.
    n_known = (count * share + 1e-9).floor().clip(upper_bound=count - 1)
    known = place < n_known
    return held[rows.filter(known)[_ROW].sort()], held[rows.filter(~known)[_ROW].sort()]
