"""Cuts of a log in two by RePlay's splitters, row for row in the order of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.split.streaming.buckets import bucket_of
from twotower.types import TIMESTAMP, USER, rows_with

__all__ = ["Cut", "cut_by", "cut_users_by", "rows_among", "tied_users"]

Cut = tuple[pl.DataFrame, pl.DataFrame]

_ROW = "__row"
_ROWS_AT_ONCE = 2_000_000
_Rows = NDArray[np.int32] | NDArray[np.int64]


def cut_by(
    split: Callable[[pl.DataFrame], Any],
    log: pl.DataFrame,
    time: pl.Series | _Rows | None = None,
) -> Cut:
    """Split `log` with RePlay's `split`: (train, test), rows in the order of `log`.

    RePlay receives users as integer codes and, instead of `timestamp`, the values of `time`: for a
    rule that counts interactions their `turns`; None: the row number, for a rule that draws. So
    ties, which RePlay leaves to the sort of Polars or pandas, do not depend on the run or on ids.
    """
    width = pl.Int32 if len(log) < 2**31 else pl.Int64  # of codes and row numbers
    rows = pl.int_range(len(log), dtype=width, eager=True)
    users = log[USER].rank("dense").cast(width)
    shown = _shown(users, rows if time is None else pl.Series(time), rows)
    parts = [rows_among(part[_ROW], len(log)) for part in split(shown)]
    return log.filter(parts[0]), log.filter(parts[1])


def cut_users_by(
    split: Callable[[pl.DataFrame], Any], log: pl.DataFrame, time: pl.Series | _Rows
) -> Cut:
    """Do what `cut_by` does, with a `split` that cuts each user whatever others have.

    RePlay receives groups of users one after the other, which bounds the memory of its copies.
    """
    users, times = log[USER], pl.Series(time)
    held = np.zeros(len(log), dtype=bool)
    for rows in _groups(users):
        of_group = users[rows]
        codes = of_group if of_group.dtype.is_integer() else of_group.rank("dense")
        held[split(_shown(codes, times[rows], pl.Series(rows)))[1][_ROW].to_numpy()] = True
    return log.filter(~held), log.filter(held)


def tied_users(rest: pl.DataFrame, held: pl.DataFrame) -> int:
    """Return how many users have rows of one moment on both sides of the cut."""
    moment = [USER, TIMESTAMP]
    return rows_with(rest, held.select(moment))[USER].n_unique()


def _shown(users: pl.Series, times: pl.Series, rows: pl.Series) -> pl.DataFrame:
    """Return what RePlay is shown of a log."""
    return pl.DataFrame([users.alias(USER), times.alias(TIMESTAMP), rows.alias(_ROW)])


def rows_among(rows: pl.Series, n: int) -> NDArray[np.bool_]:
    """Return [n] whether each row is one of `rows`."""
    among = np.zeros(n, dtype=bool)
    among[rows.to_numpy()] = True
    return among


def _groups(users: pl.Series) -> Iterator[_Rows]:
    """Yield the rows of some users at a time, all of each user's, ascending."""
    n_groups = -(-len(users) // _ROWS_AT_ONCE)
    if n_groups < 2:
        yield np.arange(len(users), dtype=np.int32)
        return
    groups = bucket_of(users, n_groups)
    for group in range(n_groups):
        rows: _Rows = np.flatnonzero(groups == group)
        yield rows.astype(np.int32) if len(users) < 2**31 else rows
