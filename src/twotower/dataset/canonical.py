"""From checked columns to `Interactions`: one order of rows and columns, whatever the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.dataset.digest import frames_digest
from twotower.dataset.mapping import same_id_types
from twotower.types import FILE_ORDER, ITEM, RATING, TIMESTAMP, USER, WEIGHT, Interactions

_ROWS_AT_ONCE = 1_000_000
_MOMENT, _ROW = "__moment", "__row"


def interactions(
    *,
    log: pl.DataFrame,
    users: pl.DataFrame | None,
    items: pl.DataFrame | None,
    test: pl.DataFrame | None,
    origin: str,
    sources: Mapping[str, str] | None = None,
) -> Interactions:
    """Return `Interactions` in canonical order, with their digest.

    A log is sorted by timestamp, user, item, rating and weight (as far as it has them), features by
    id: neither the digest nor a later split depends on the order of lines in a file, unless the log
    has it as a column (`file_order`). Then it is sorted by timestamp and that.
    """
    frames = {
        "log": sorted_log(log),
        "users": None if users is None else users.sort(USER),
        "items": None if items is None else items.sort(ITEM),
        "test": None if test is None else sorted_log(test),
    }
    digest = frames_digest(frames)
    log_ = frames.pop("log")
    assert log_ is not None
    return Interactions(log=log_, **frames, origin=origin, digest=digest, sources=sources or {})


def interactions_of(
    frames: Mapping[str, pl.DataFrame], *, origin: str, sources: Mapping[str, str]
) -> Interactions:
    """Return `Interactions` of the parts `log`, `test`, `users`, `items`, with ids of one type."""
    typed = dict(zip(frames, same_id_types(list(frames.values())), strict=True))
    return interactions(
        log=typed["log"],
        users=typed.get("users"),
        items=typed.get("items"),
        test=typed.get("test"),
        origin=origin,
        sources=sources,
    )


def sorted_log(log: pl.DataFrame) -> pl.DataFrame:
    """Return the canonical columns of `log`, rows in canonical order."""
    kept = [USER, ITEM, RATING, TIMESTAMP, FILE_ORDER, WEIGHT]
    ties = [FILE_ORDER] if FILE_ORDER in log.columns else [USER, ITEM, RATING, WEIGHT]
    log = log.select(name for name in kept if name in log.columns)
    ties = [name for name in ties if name in log.columns]
    if TIMESTAMP not in log.columns or log[TIMESTAMP].null_count():
        return log.sort(name for name in [TIMESTAMP, *ties] if name in log.columns)
    return _by_time(log, ties)


def _by_time(log: pl.DataFrame, ties: list[str]) -> pl.DataFrame:
    """Return `log` sorted by time, then by `ties`.

    `log.sort` encodes all keys of all rows as text, some 40 bytes each; here only the rows that
    share their moment with another one are sorted by `ties`.
    """
    times = log[TIMESTAMP].to_physical().to_numpy()
    width = np.int32 if len(log) < 2**31 else np.int64
    order = np.argsort(times, kind="stable").astype(width)
    equal = np.empty(len(log) + 1, dtype=bool)  # to the row before
    equal[0] = equal[-1] = False
    for start in range(1, len(log), _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, len(log))
        some = times[order[start - 1 : stop]]
        equal[start:stop] = some[1:] == some[:-1]
    starts = ~equal[:-1]
    places = np.flatnonzero(equal[:-1] | equal[1:])
    for some in _pieces(places, starts):
        rows = pl.Series(order[some])
        moments = pl.Series(np.cumsum(starts[some], dtype=np.uint32))
        keys = log.select(ties)[rows].with_columns(moments.alias(_MOMENT), rows.alias(_ROW))
        order[some] = keys.sort([_MOMENT, *ties])[_ROW].to_numpy()
    if np.array_equal(order, np.arange(len(log), dtype=width)):
        return log
    return pl.DataFrame([log[name][order] for name in log.columns])


def _pieces(places: NDArray[np.int64], starts: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Yield `places` in pieces of some million, cut only where a moment starts."""
    firsts = np.flatnonzero(starts[places])
    start = 0
    while start < len(places):
        after = np.searchsorted(firsts, start + _ROWS_AT_ONCE)
        end = int(firsts[after]) if after < len(firsts) else len(places)
        yield places[start:end]
        start = end
