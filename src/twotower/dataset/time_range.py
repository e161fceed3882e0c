"""Log the time range of a log and warn if it looks wrong."""

from __future__ import annotations

import datetime as dt
import logging

import polars as pl

from twotower.types import TIMESTAMP, Interactions

__all__ = ["report_times"]

_SHORT = dt.timedelta(days=1)

logger = logging.getLogger(__name__)


def report_times(interactions: Interactions) -> None:
    """Log the first and last time and their distance; warn where that is nothing, or under a day.

    Nothing is logged of a log without timestamps.
    """
    frames = {"": interactions.log, ", test ": interactions.test}
    parts = {name: f[TIMESTAMP] for name, f in frames.items() if f is not None and TIMESTAMP in f}
    if not parts:
        return
    logger.info("times: %s", "".join(name + _range(times) for name, times in parts.items()))
    times = pl.concat(parts.values())
    first, last = times.min(), times.max()
    if first == last:
        logger.warning(
            "All timestamps are equal: nothing is earlier or later. Name another column with "
            "dataset.columns.timestamp, or set it to null and take a split that needs no time"
        )
    elif isinstance(first, dt.datetime) and isinstance(last, dt.datetime) and last - first < _SHORT:
        logger.warning(
            "All timestamps lie within %s: are dataset.timestamp_unit and "
            "dataset.timestamp_format right?",
            last - first,
        )


def _range(times: pl.Series) -> str:
    first, last = times.min(), times.max()
    if isinstance(first, dt.datetime) and isinstance(last, dt.datetime):
        days = (last - first) / dt.timedelta(days=1)
        span = f"{days:,.0f} days" if days >= 2 else str(last - first)
        return f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC ({span})"
    return f"{first!r} to {last!r} (an order, no times)"
