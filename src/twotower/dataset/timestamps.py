"""Timestamps of any spelling as naive UTC datetimes in microseconds."""

from __future__ import annotations

from typing import Literal

import polars as pl

from twotower.dataset.columns import Place

TimestampUnit = Literal["s", "ms", "us", "ns"]

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EARLIEST, _LATEST = 1900, 2200  # years; anything else is a wrong unit or format
_SECONDS_A_YEAR = 31_556_952
_ISO_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M")


def timestamps(
    values: pl.Series, place: Place, unit: TimestampUnit, text_format: str | None
) -> pl.Series:
    """Timestamps as naive UTC Datetime in microseconds.

    Numbers (also as strings, where no format is given) count `unit`s since 1970; strings are read
    by `text_format` (None: ISO 8601, UTC where no offset stands). Raises DataError for what
    cannot be read.
    """
    dtype = values.dtype
    if isinstance(dtype, pl.Datetime | pl.Date):
        read = _naive_utc(values)
    elif dtype == pl.String and (text_format is not None or not _starts_with_number(values)):
        read = _from_text(values, text_format)
        expected = "ISO 8601" if text_format is None else repr(text_format)
        bad = ~read.dt.year().is_between(_EARLIEST, _LATEST).fill_null(False)
        if bad.any():
            remedy = f"set dataset.timestamp_format ({expected} was expected)"
            place.refuse(bad, values, "no readable timestamp", remedy)
    elif dtype == pl.String or dtype.is_numeric():
        return _from_numbers(values, place, unit)
    else:
        place.refuse_type(dtype, "numbers, dates, datetimes or strings")
    if read.null_count():
        place.refuse(read.is_null(), values, "no timestamp (null)", "remove these rows")
    return read


def _starts_with_number(values: pl.Series) -> bool:
    first = values.drop_nulls().head(1).cast(pl.Float64, strict=False)
    return first.null_count() == 0 and len(first) == 1


def _from_numbers(values: pl.Series, place: Place, unit: TimestampUnit) -> pl.Series:
    numbers = values.cast(pl.Float64, strict=False)
    bad = ~numbers.is_finite().fill_null(False)
    if bad.any():
        place.refuse(bad, values, "no readable timestamp", "correct or remove these rows")
    seconds = numbers / _PER_SECOND[unit]
    years = 1970 + seconds / _SECONDS_A_YEAR
    bad = ~years.is_between(_EARLIEST, _LATEST)
    if bad.any():
        what = f"a time outside {_EARLIEST} to {_LATEST}, read in the unit {unit!r},"
        place.refuse(bad, values, what, "set dataset.timestamp_unit (s, ms, us or ns)")
    exact = values.cast(pl.Int64, strict=False)
    if exact.null_count() or values.dtype.is_float():
        micros = (seconds * 1_000_000).round().cast(pl.Int64)
    elif unit == "ns":
        micros = exact // 1_000
    else:
        micros = exact * (1_000_000 // _PER_SECOND[unit])
    return micros.cast(pl.Datetime("us"))


def _from_text(values: pl.Series, text_format: str | None) -> pl.Series:
    """Null where a string cannot be read."""
    if text_format is None:
        tries = [_parse(values, fmt, zoned=False) for fmt in _ISO_FORMATS]
        tries.append(_parse(values, "%+", zoned=True))
        return pl.select(pl.coalesce(tries)).to_series()
    zoned = any(mark in text_format for mark in ("%z", "%:z", "%#z", "%+"))
    return _parse(values, text_format, zoned=zoned)


def _parse(values: pl.Series, text_format: str, *, zoned: bool) -> pl.Series:
    zone = "UTC" if zoned else None
    parsed = values.str.to_datetime(text_format, time_unit="us", time_zone=zone, strict=False)
    return _naive_utc(parsed)


def _naive_utc(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us"))
