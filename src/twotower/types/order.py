"""The order of a log's rows in time, ties included."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.types.frames import FILE_ORDER, ITEM, TIMESTAMP, USER

__all__ = ["in_time", "time_order", "turns"]

_KEY = b"ties in time"
_BREAKER, _ROW = "__tie_breaker", "__row"


def in_time(log: pl.DataFrame) -> pl.DataFrame:
    """The rows of `log`, oldest first (see `time_order`); as they are if it has no timestamps."""
    return log[time_order(log)] if TIMESTAMP in log.columns else log


def turns(log: pl.DataFrame) -> NDArray[np.int64]:
    """[n]: the place of each row of `log` in `time_order`, from 0."""
    places = np.empty(len(log), dtype=np.int64)
    places[time_order(log)] = np.arange(len(log))
    return places


def time_order(log: pl.DataFrame) -> NDArray[np.int64]:
    """[n]: the rows of `log`, which has timestamps, oldest first.

    Rows of one timestamp come in the order of their file where `log` has that (FILE_ORDER). Else a
    keyed hash of user and item decides: as good as a draw, and the same for a pair whatever other
    rows there are and however they are sorted. Ids that sort high get no advantage from it.
    """
    known = FILE_ORDER in log.columns
    ties = log[FILE_ORDER] if known else _tie_breaker(log)
    rows = pl.DataFrame([log[TIMESTAMP], ties.alias(_BREAKER)]).with_row_index(_ROW)
    # Lines that are alike in all come as they are; a stable sort takes several times as long.
    return rows.sort(TIMESTAMP, _BREAKER, _ROW)[_ROW].cast(pl.Int64).to_numpy()


def _tie_breaker(log: pl.DataFrame) -> pl.Series:
    """[n] uint64, uniform over (user, item) pairs; it does not depend on versions of libraries."""
    mixed = _hashes(log[USER]) * np.uint64(0x9E3779B97F4A7C15) + _hashes(log[ITEM])
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return pl.Series(_BREAKER, mixed ^ (mixed >> np.uint64(31)))


def _hashes(ids: pl.Series) -> NDArray[np.uint64]:
    """[n]: of each id as it is written, so that 7 and "7" have one hash."""
    distinct = ids.unique()
    hashed = [
        int.from_bytes(hashlib.blake2b(str(id_).encode(), digest_size=8, key=_KEY).digest())
        for id_ in distinct
    ]
    new = pl.Series(hashed, dtype=pl.UInt64)
    return ids.replace_strict(distinct, new, return_dtype=pl.UInt64).to_numpy()
