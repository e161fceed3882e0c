"""Filters of a log in buckets of users: what RePlay's filters keep of the whole log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import polars as pl
from replay.preprocessing.filters import (
    EntityDaysFilter,
    InteractionEntriesFilter,
    LowRatingFilter,
    MinCountFilter,
    TimePeriodFilter,
)

from twotower.core.errors import ErrorEntry
from twotower.preprocessing.preprocessing import Filter, Preprocessing, transformed
from twotower.types import ITEM, USER

__all__ = ["filter_buckets", "unsupported"]

_VALID = (
    "must be one of LowRatingFilter, MinCountFilter, InteractionEntriesFilter (without maxima), "
    "TimePeriodFilter (with both dates), EntityDaysFilter of users, or dataset.streaming=false"
)


class UserBuckets(Protocol):
    """A log of which each bucket holds all rows of its users; see `Buckets` of the split."""

    def update(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> int:
        """Replace each bucket; return the number of rows left."""
        ...

    def column(self, name: str) -> Iterator[pl.Series]:
        """Yield one column of each bucket."""
        ...


def unsupported(preprocessing: Preprocessing) -> Iterator[ErrorEntry]:
    """Yield an error for each setting that needs the whole log at once."""
    if preprocessing.duplicates == "keep":
        yield ErrorEntry(
            "preprocessing.duplicates",
            "keep",
            "which dataset.streaming=true does not support",
            "must be one of once, last",
        )
    if preprocessing.engine == "spark":
        for place, filter_ in enumerate(preprocessing.filters):
            if not isinstance(filter_, LowRatingFilter | MinCountFilter | InteractionEntriesFilter):
                path = f"preprocessing.filters[{place}]"
                wrong = "which does not keep the same rows on Spark"
                valid = "must be one of LowRatingFilter, MinCountFilter, InteractionEntriesFilter"
                yield ErrorEntry(path, type(filter_).__name__, wrong, valid)
        return
    for place, filter_ in enumerate(preprocessing.filters):
        if not _by_user(filter_) and not _counts_items(filter_):
            path = f"preprocessing.filters[{place}]"
            wrong = "which needs the whole log at once, but dataset.streaming=true"
            yield ErrorEntry(path, type(filter_).__name__, wrong, _VALID)


def _by_user(filter_: Filter) -> bool:
    """Return whether what is kept of a user depends on no other user."""
    if isinstance(filter_, MinCountFilter):
        return bool(filter_.groupby_column == USER)
    if isinstance(filter_, EntityDaysFilter):
        return bool(filter_.entity_column == USER)
    if isinstance(filter_, TimePeriodFilter):
        return filter_.start_date is not None and filter_.end_date is not None
    return isinstance(filter_, LowRatingFilter)


def _counts_items(filter_: Filter) -> bool:
    if isinstance(filter_, InteractionEntriesFilter):
        return filter_.max_inter_per_user is None and filter_.max_inter_per_item is None
    return isinstance(filter_, MinCountFilter) and filter_.groupby_column == ITEM


def filter_buckets(
    filters: Iterable[Filter], buckets: UserBuckets, n_rows: int, steps: list[str]
) -> int:
    """Apply `filters` in their order; return the number of rows left.

    Args:
        filters: Those of which `unsupported` has nothing to report.
        buckets: Changed in place.
        n_rows: Rows of all buckets.
        steps: Gets a sentence for each filter.
    """
    for place, filter_ in enumerate(filters):
        name = f"preprocessing.filters[{place}] ({type(filter_).__name__})"
        left = _apply(filter_, buckets, name, n_rows)
        steps.append(f"{name} keeps {left:,} of {n_rows:,} interactions of the log")
        n_rows = left
    return n_rows


def _apply(filter_: Filter, buckets: UserBuckets, name: str, n_rows: int) -> int:
    if not isinstance(filter_, InteractionEntriesFilter):
        if isinstance(filter_, MinCountFilter) and filter_.groupby_column == ITEM:
            return _enough_per_item(buckets, filter_.num_entries)
        return buckets.update(lambda log: transformed(filter_, log, name, "the log"))
    left = -1
    while left != n_rows:  # the largest set of rows that is left unchanged is unique
        left = n_rows
        if filter_.min_inter_per_user is not None:
            enough = pl.len().over(USER) >= filter_.min_inter_per_user
            n_rows = buckets.update(lambda log: log.filter(enough))  # noqa: B023, called at once
        if filter_.min_inter_per_item is not None:
            n_rows = _enough_per_item(buckets, filter_.min_inter_per_item)
    return n_rows


def _enough_per_item(buckets: UserBuckets, least: int) -> int:
    """Drop the rows of items that have fewer than `least`."""
    counts: pl.DataFrame | None = None
    for items in buckets.column(ITEM):
        new = items.value_counts(name="n")
        counts = new if counts is None else pl.concat([counts, new])
        counts = counts.group_by(ITEM).agg(pl.col("n").sum())
    assert counts is not None
    enough = counts.filter(pl.col("n") >= least)
    return buckets.update(lambda log: log.join(enough, on=ITEM, how="semi", maintain_order="left"))
