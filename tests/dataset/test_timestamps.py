"""Timestamps: numbers in any unit, strings in any format, all of them UTC."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.dataset.columns import Place
from twotower.dataset.timestamps import TimestampUnit, timestamps
from twotower.errors import DataError

PLACE = Place("log.csv", "when", "dataset.columns.timestamp")
NOON = dt.datetime(2020, 5, 17, 12, 0, 0)
SECONDS = 1_589_716_800  # NOON as seconds after 1970


def read(
    values: list[object], unit: TimestampUnit = "s", text_format: str | None = None
) -> list[object]:
    return timestamps(pl.Series(values), PLACE, unit, text_format).to_list()


@pytest.mark.parametrize(
    ("unit", "scale"), [("s", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)]
)
def test_numbers_in_every_unit(unit: TimestampUnit, scale: int) -> None:
    assert read([SECONDS * scale], unit) == [NOON]
    assert read([str(SECONDS * scale)], unit) == [NOON]
    assert read([float(SECONDS * scale)], unit) == [NOON]


def test_fractions_of_seconds() -> None:
    assert read(["1589716800.25"]) == [NOON + dt.timedelta(milliseconds=250)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-05-17", NOON.replace(hour=0)),
        ("2020-05-17 12:00", NOON),
        ("2020-05-17 12:00:00", NOON),
        ("2020-05-17T12:00:00.5", NOON.replace(microsecond=500_000)),
        ("2020-05-17T12:00:00Z", NOON),
        ("2020-05-17T14:00:00+02:00", NOON),
        ("2020-05-17 07:00:00-05:00", NOON),
    ],
)
def test_iso_8601_in_utc(text: str, expected: dt.datetime) -> None:
    assert read([text, "2020-05-17"]) == [expected, NOON.replace(hour=0)]


def test_a_format_of_ones_own() -> None:
    assert read(["17.05.2020 12:00"], text_format="%d.%m.%Y %H:%M") == [NOON]
    assert read(["17/May/2020:14:00:00 +0200"], text_format="%d/%b/%Y:%H:%M:%S %z") == [NOON]


def test_datetimes_and_dates() -> None:
    zoned = pl.Series([NOON]).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    assert timestamps(zoned, PLACE, "s", None).to_list() == [NOON]
    assert read([NOON.date()]) == [NOON.replace(hour=0)]


@given(
    st.lists(
        st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2199, 12, 31)), min_size=1, max_size=5
    )
)
def test_every_spelling_of_a_time_is_the_same_time(times: list[dt.datetime]) -> None:
    expected = pl.Series(times, dtype=pl.Datetime("us"))
    micros = expected.cast(pl.Int64)
    assert timestamps(micros, PLACE, "us", None).equals(expected)
    text = pl.Series([time.isoformat() for time in times])
    assert timestamps(text, PLACE, "s", None).equals(expected)


@pytest.mark.parametrize("bad", [None, "yesterday", "2020-13-01"])
def test_text_that_is_no_time(bad: str | None) -> None:
    with pytest.raises(DataError) as error:
        read(["2020-05-17", bad])
    assert str(error.value) == (
        "log.csv: column 'when' has no readable timestamp in 1 of 2 rows, first in row 2 (counted "
        f"from 1, without the header): {bad!r}; set dataset.timestamp_format (ISO 8601 was "
        "expected) or name another column with dataset.columns.timestamp"
    )


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_numbers_that_are_no_time(bad: float | None) -> None:
    with pytest.raises(DataError, match="no readable timestamp in 1 of 2 rows, first in row 2"):
        read([1.0, bad])


def test_a_missing_datetime() -> None:
    with pytest.raises(DataError, match=r"has no timestamp \(null\) in 1 of 2 rows"):
        read([NOON, None])


def test_a_unit_that_cannot_be_right() -> None:
    with pytest.raises(DataError) as error:
        read([SECONDS * 1_000])
    assert str(error.value) == (
        "log.csv: column 'when' has a time outside 1900 to 2200, read in the unit 's', "
        "in 1 of 1 rows, first in row 1 (counted from 1, without the header): 1589716800000; set "
        "dataset.timestamp_unit (s, ms, us or ns) or name another column with "
        "dataset.columns.timestamp"
    )


def test_a_format_that_does_not_fit() -> None:
    with pytest.raises(DataError, match=r"set dataset\.timestamp_format \('%d' was expected\)"):
        read(["2020-05-17"], text_format="%d")


def test_a_format_that_knows_no_year() -> None:
    with pytest.raises(DataError, match=r"set dataset\.timestamp_format \('%H:%M' was expected\)"):
        read(["12:30"], text_format="%H:%M")


def test_a_type_that_is_no_time() -> None:
    with pytest.raises(DataError, match="has type Boolean, valid: numbers, dates, datetimes or"):
        read([True])
