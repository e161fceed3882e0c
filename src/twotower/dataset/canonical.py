"""From checked columns to `Interactions`: one order of rows and columns, whatever the source."""

from __future__ import annotations

import polars as pl

from twotower.dataset.digest import frames_digest
from twotower.types import ITEM, RATING, TIMESTAMP, USER, Interactions


def interactions(
    *,
    log: pl.DataFrame,
    users: pl.DataFrame | None,
    items: pl.DataFrame | None,
    test: pl.DataFrame | None,
    origin: str,
) -> Interactions:
    """`Interactions` in canonical order, with their digest.

    A log is sorted by timestamp, user, item and rating (as far as it has them), features by id:
    neither the digest nor a later split depends on the order of lines in a file.
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
    return Interactions(log=log_, **frames, origin=origin, digest=digest)


def sorted_log(log: pl.DataFrame) -> pl.DataFrame:
    """`log` with its canonical columns alone, rows in canonical order."""
    columns = [name for name in (USER, ITEM, RATING, TIMESTAMP) if name in log.columns]
    order = [name for name in (TIMESTAMP, USER, ITEM, RATING) if name in log.columns]
    return log.select(columns).sort(order)
