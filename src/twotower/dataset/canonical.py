"""From checked columns to `Interactions`: one order of rows and columns, whatever the source."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from twotower.dataset.digest import frames_digest
from twotower.dataset.mapping import same_id_types
from twotower.types import FILE_ORDER, ITEM, RATING, TIMESTAMP, USER, WEIGHT, Interactions


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
    return log.sort(name for name in [TIMESTAMP, *ties] if name in log.columns)
