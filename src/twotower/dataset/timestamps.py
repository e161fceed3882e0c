"""Parse timestamps in any format to naive UTC datetimes (microseconds) or ordinal integers."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Literal, cast

import polars as pl

from twotower.core.errors import ConfigError
from twotower.dataset.columns import Place
from twotower.dataset.time_hints import compact_format, cut_off, number_remedy, text_remedy
from twotower.dataset.time_units import EARLIEST, UNITS, in_unit, latest_year

TimestampUnit = Literal["auto", "s", "ms", "us", "ns", "d", "order"]

_ISO_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M")
_GUESSED = ("s", "ms", "us", "ns")  # no number is between 1971 and next year in two of these

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TimeFormat:
    """How a column of timestamps is written.

    unit: what numbers count since 1970; `auto` finds it; `order`: they only order interactions.
    text: strptime format of strings and of numbers such as 20230520; None: ISO 8601, or numbers.
    node: the config node of both, for messages.
    """

    unit: TimestampUnit
    text: str | None
    node: str = "dataset"

    def key(self, name: str) -> str:
        """Return `name` as a key of the config: `dataset.timestamp_unit`."""
        return f"{self.node}.{name}" if self.node else name


def timestamps(values: pl.Series, place: Place, times: TimeFormat) -> pl.Series:
    """Timestamps as naive UTC Datetime in microseconds, or as Int64 under the unit `order`.

    Raises DataError for what cannot be read and for years outside 1971 to next year, which a wrong
    unit or format makes of any time. ConfigError for a format that is none.
    """
    if times.unit == "order":
        return _places(values, place)
    dtype = values.dtype
    if dtype.is_numeric() and times.text is not None:
        values = values.cast(pl.Int64, strict=False).cast(pl.String)
        dtype = values.dtype
    if isinstance(dtype, pl.Datetime | pl.Date):
        read = _naive_utc(values)
        remedy = "correct or remove these rows"
    elif dtype == pl.String and (times.text is not None or not _starts_with_number(values)):
        read = _from_text(values, times)
        remedy = text_remedy(values, times.text, times.key("timestamp_format"))
    elif dtype == pl.String or dtype.is_numeric():
        return _from_numbers(values, place, times)
    else:
        place.refuse_type(dtype, "numbers, dates, datetimes or strings")
    if (null := read.is_null()).any():
        what = (
            "no timestamp (null)" if values.null_count() == null.sum() else "no readable timestamp"
        )
        place.refuse(null, values, what, remedy)
    bad = ~read.dt.year().is_between(EARLIEST, latest_year())
    if bad.any():
        unknown = "; 1970-01-01 often means that the time is unknown: remove these rows"
        epoch = bool((read.filter(bad) == dt.datetime(1970, 1, 1)).all())
        place.refuse(bad, values, _outside(), remedy + (unknown if epoch else ""))
    return read


def resolved_unit(values: pl.Series, times: TimeFormat) -> TimestampUnit:
    """Return the unit that `timestamps` reads numbers in, `times.unit` of what is no number."""
    if not values.dtype.is_numeric() or times.text is not None or times.unit != "auto":
        return times.unit
    return cast(TimestampUnit, _likeliest(values.cast(pl.Float64)))


def _outside() -> str:
    return f"a time outside the years {EARLIEST} to {latest_year()}"


def _places(values: pl.Series, place: Place) -> pl.Series:
    """Int64 that sorts as `values` do."""
    if not (values.dtype.is_numeric() or values.dtype == pl.String):
        place.refuse_type(values.dtype, "numbers where timestamp_unit=order")
    exact = values.cast(pl.Int64, strict=False)
    if exact.null_count() == 0 and not values.dtype.is_float():
        return exact
    numbers = values.cast(pl.Float64, strict=False)
    bad = ~numbers.is_finite().fill_null(False)
    if bad.any():
        place.refuse(bad, values, "no number to order by", "correct or remove these rows")
    return numbers.rank("dense").cast(pl.Int64) if (numbers % 1 != 0).any() else exact


def _starts_with_number(values: pl.Series) -> bool:
    first = values.drop_nulls().head(1).cast(pl.Float64, strict=False)
    return first.null_count() == 0 and len(first) == 1


def _from_numbers(values: pl.Series, place: Place, times: TimeFormat) -> pl.Series:
    numbers = values.cast(pl.Float64, strict=False)
    bad = ~numbers.is_finite().fill_null(False)
    if bad.any():
        place.refuse(bad, values, "no readable timestamp", "correct or remove these rows")
    unit = _likeliest(numbers) if times.unit == "auto" else times.unit
    bad = ~in_unit(numbers, unit)
    if times.unit == "auto" and not bad.any():
        bad |= compact_format(values, sure=True) is not None
    if bad.any():
        what = f"{_outside()} when read as {UNITS[unit].name} since 1970"
        remedy = number_remedy(values, numbers, bad, unit, times.key)
        place.refuse(bad, values, what, remedy)
    if values.dtype == pl.String and cut_off(values):
        logger.warning(
            "%s: the last value of column %r, %s, has fewer digits than any other: the file may "
            "have been cut off",
            *(place.file, place.column, values[-1]),
        )
    exact = values.cast(pl.Int64, strict=False)
    if exact.null_count() or values.dtype.is_float():
        micros = (numbers * UNITS[unit].micros).round().cast(pl.Int64)
    elif unit == "ns":
        micros = exact // 1_000
    else:
        micros = exact * int(UNITS[unit].micros)
    return micros.cast(pl.Datetime("us"))


def _likeliest(numbers: pl.Series) -> str:
    """Return the unit that fits most of `numbers`; if it does not fit all, they are refused."""
    return max(_GUESSED, key=lambda unit: int(in_unit(numbers, unit, guessed=True).sum()))


def _from_text(values: pl.Series, times: TimeFormat) -> pl.Series:
    """Null where a string cannot be read."""
    text = times.text
    if text is None:
        tries = [_parse(values, fmt, zoned=False) for fmt in _ISO_FORMATS]
        tries.append(_parse(values, "%+", zoned=True))
        return pl.select(pl.coalesce(tries)).to_series()
    zoned = any(mark in text for mark in ("%z", "%:z", "%#z", "%+"))
    try:
        return _parse(values, text, zoned=zoned)
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        key = times.key("timestamp_format")
        raise ConfigError(f"{key}: got {text!r}, which reads no time: {reason}") from error


def _parse(values: pl.Series, text_format: str, *, zoned: bool) -> pl.Series:
    zone = "UTC" if zoned else None
    parsed = values.str.to_datetime(text_format, time_unit="us", time_zone=zone, strict=False)
    return _naive_utc(parsed)


def _naive_utc(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us"))
