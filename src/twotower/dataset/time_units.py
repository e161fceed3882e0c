"""Units of Unix timestamps, and the years that are plausible."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import polars as pl

__all__ = ["EARLIEST", "UNITS", "in_unit", "latest_year"]

EARLIEST = 1971  # 1970 is what zeros, counters, days and dates such as 20230520 turn into

# .NET ticks and Windows file times of today are nanoseconds of 1974 and 1990: a column of
# nanoseconds is only guessed to be one from here on.
_GUESSED_NANOSECONDS = 2000


class Unit(NamedTuple):
    """name: for messages; micros: how many microseconds one is."""

    name: str
    micros: float


UNITS = {
    "s": Unit("seconds", 1e6),
    "ms": Unit("milliseconds", 1e3),
    "us": Unit("microseconds", 1.0),
    "ns": Unit("nanoseconds", 1e-3),
    "d": Unit("days", 86_400e6),
}


def latest_year() -> int:
    """Next year: clocks and time zones differ, and some logs hold bookings."""
    return dt.datetime.now(dt.UTC).year + 1


def in_unit(numbers: pl.Series, unit: str, *, guessed: bool = False) -> pl.Series:
    """Return whether each of `numbers` (Float64), read as `unit`, is between 1971 and next year.

    guessed: the unit was not set by the user.
    """
    first = _GUESSED_NANOSECONDS if guessed and unit == "ns" else EARLIEST
    start, end = (
        dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp() * 1e6 / UNITS[unit].micros
        for year in (first, latest_year() + 1)
    )
    return (numbers >= start) & (numbers < end)
