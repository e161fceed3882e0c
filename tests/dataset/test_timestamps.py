"""Timestamps: numbers in any unit, strings in any format, all of them UTC."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.errors import ConfigError, DataError
from twotower.dataset.columns import Place
from twotower.dataset.time_hints import compact_format
from twotower.dataset.timestamps import TimeFormat, TimestampUnit, timestamps

PLACE = Place("log.csv", "when", "dataset.columns.timestamp")
NOON = dt.datetime(2020, 5, 17, 12, 0, 0)
SECONDS = 1_589_716_800  # NOON as seconds after 1970


def read(
    values: list[object], unit: TimestampUnit = "auto", text_format: str | None = None
) -> list[object]:
    return timestamps(pl.Series(values), PLACE, TimeFormat(unit, text_format)).to_list()


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
    assert timestamps(zoned, PLACE, TimeFormat("auto", None)).to_list() == [NOON]
    assert read([NOON.date()]) == [NOON.replace(hour=0)]


@given(
    st.lists(
        st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2026, 12, 31)), min_size=1, max_size=5
    )
)
def test_every_spelling_of_a_time_is_the_same_time(times: list[dt.datetime]) -> None:
    expected = pl.Series(times, dtype=pl.Datetime("us"))
    micros = expected.cast(pl.Int64)
    assert timestamps(micros, PLACE, TimeFormat("us", None)).equals(expected)
    text = pl.Series([time.isoformat() for time in times])
    assert timestamps(text, PLACE, TimeFormat("auto", None)).equals(expected)


@pytest.mark.parametrize("bad", [None, "yesterday", "2020-13-01"])
def test_text_that_is_no_time(bad: str | None) -> None:
    with pytest.raises(DataError) as error:
        read(["2020-05-17", bad])
    assert str(error.value) == (
        "log.csv: column 'when' has no "
        f"{'timestamp (null)' if bad is None else 'readable timestamp'} in 1 of 2 rows, first in "
        f"row 2 (counted from 1, without the header): {bad!r}; set dataset.timestamp_format (ISO "
        "8601 was expected) or name another column with dataset.columns.timestamp"
    )


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_numbers_that_are_no_time(bad: float | None) -> None:
    with pytest.raises(DataError, match="no readable timestamp in 1 of 2 rows, first in row 2"):
        read([1.0, bad])


def test_a_missing_datetime() -> None:
    with pytest.raises(DataError, match=r"has no timestamp \(null\) in 1 of 2 rows"):
        read([NOON, None])


def refusal(
    values: list[object], unit: TimestampUnit = "auto", text_format: str | None = None
) -> str:
    with pytest.raises(DataError) as error:
        read(values, unit, text_format)
    return str(error.value)


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name next year."""
    for module in ("time_units", "time_hints", "timestamps"):
        monkeypatch.setattr(f"twotower.dataset.{module}.latest_year", lambda: 2027)


def test_a_unit_that_cannot_be_right() -> None:
    assert refusal([SECONDS * 1_000], "s") == (
        "log.csv: column 'when' has a time outside the years 1971 to 2027 when read as seconds "
        "since 1970 in 1 of 1 rows, first in row 1 (counted from 1, without the header): "
        "1589716800000; set dataset.timestamp_unit=ms or name another column with "
        "dataset.columns.timestamp"
    )


@pytest.mark.parametrize(
    ("values", "unit", "remedy"),
    [
        ([20230520, 20230326], "auto", "set dataset.timestamp_format=%Y%m%d"),
        ([20230520.0, 20230326.0], "s", "set dataset.timestamp_format=%Y%m%d"),
        (["20230520", "20230326"], "s", "set dataset.timestamp_format=%Y%m%d"),
        ([20230520123059], "auto", "set dataset.timestamp_format=%Y%m%d%H%M%S"),
        ([202305], "auto", "set dataset.timestamp_format=%Y%m"),
        # Milliseconds of May 1976, and seconds of 2043, if they were no dates.
        ([202305201230 + i for i in range(5)], "auto", "set dataset.timestamp_format=%Y%m%d%H%M"),
        ([1505201230 + i for i in range(5)], "auto", "set dataset.timestamp_format=%y%m%d%H%M"),
        ([SECONDS], "ms", "set dataset.timestamp_unit=s"),
        ([SECONDS * 10**6], "ms", "set dataset.timestamp_unit=us"),
        ([SECONDS * 10**9], "s", "set dataset.timestamp_unit=ns"),
        ([19_000, 19_001], "auto", "set dataset.timestamp_unit=d if they are days since 1970, "),
        ([1, 2, 3], "auto", "dataset.timestamp_unit=order if they only order the interactions"),
        ([0, SECONDS, SECONDS], "auto", "0 often means that the time is unknown: remove these"),
        ([SECONDS, SECONDS, 158], "auto", "the file seems to have been cut off inside this number"),
        ([SECONDS, SECONDS, SECONDS * 1000], "auto", "mixes units, these rows count milliseconds"),
        ([SECONDS * 1000, SECONDS, SECONDS * 1000], "auto", "mixes units, these rows count sec"),
        ([4_102_444_800], "s", "set dataset.timestamp_unit (s, ms, us, ns or d) or "),  # 2100
        # Ticks of .NET, which nanoseconds of 1990 would be.
        ([638_200_000_000_000_000], "auto", "set dataset.timestamp_unit (s, ms, us, ns or d) or"),
    ],
)
def test_what_would_make_sense_of_numbers(
    values: list[object], unit: TimestampUnit, remedy: str
) -> None:
    message = refusal(values, unit)
    assert "a time outside the years 1971 to 2027" in message
    assert remedy in message


@pytest.mark.parametrize(
    "bad", ["1970-01-01", "2028-01-01T00:00:00Z", dt.datetime(1970, 8, 23), dt.date(2100, 1, 1)]
)
def test_years_that_no_log_is_of_however_they_are_written(bad: object) -> None:
    good = "2020-05-17" if isinstance(bad, str) else type(bad)(2020, 5, 17)  # type: ignore[call-arg]
    assert "a time outside the years 1971 to 2027 in 1 of 2 rows, first in row 2" in refusal(
        [good, bad]
    )


def test_text_in_another_format_is_recognised() -> None:
    assert "set dataset.timestamp_format, such as '%d.%m.%Y %H:%M' (ISO" in refusal(
        ["17.05.2020 12:00"]
    )
    text = refusal(["05/06/2020"])
    assert "such as '%d/%m/%Y' or '%m/%d/%Y' (ISO 8601 was expected)" in text


def test_a_format_reads_numbers_too() -> None:
    expected = [dt.datetime(2023, 5, 20)]
    for value in (20230520, 20230520.0, "20230520"):
        assert read([value], text_format="%Y%m%d") == expected


def test_a_format_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.timestamp_format: got '%Y%m%d%H', which"):
        read([2023052012], text_format="%Y%m%d%H")


@given(
    st.lists(st.integers(31_536_000, 1_798_761_599), min_size=1, max_size=5),
    st.sampled_from([("s", 1), ("ms", 10**3), ("us", 10**6)]),
)
def test_units_are_distinguished_by_size(
    seconds: list[int], unit: tuple[TimestampUnit, int]
) -> None:
    name, scale = unit
    values: list[object] = [second * scale for second in seconds]
    if compact_format(pl.Series(values), sure=True) is None:
        assert read(values) == read(values, name)


def test_days() -> None:
    assert read([18_399, "18399.5"][:1], "d") == [NOON.replace(hour=0)]
    assert read([18_399.5], "d") == [NOON]


def test_an_order_stays_an_order() -> None:
    assert read([3, 1, 2], "order") == [3, 1, 2]
    assert read(["3", "1", "2"], "order") == [3, 1, 2]
    assert read([3.0, 1.0], "order") == [3, 1]
    assert read([0.5, 0.25, 0.5], "order") == [2, 1, 2]
    assert "no number to order by in 1 of 2 rows, first in row 2" in refusal(["1", "x"], "order")


def test_a_shorter_last_number_is_flagged(caplog: pytest.LogCaptureFixture) -> None:
    read(["1589716800", "1589716801", "158971680"])
    assert "the last value of column 'when', 158971680, has fewer digits" in caplog.text


def test_a_format_that_does_not_fit() -> None:
    with pytest.raises(DataError, match=r"set dataset\.timestamp_format \('%d' was expected\)"):
        read(["2020-05-17"], text_format="%d")


def test_a_format_that_knows_no_year() -> None:
    with pytest.raises(DataError, match=r"set dataset\.timestamp_format \('%H:%M' was expected\)"):
        read(["12:30"], text_format="%H:%M")


def test_a_type_that_is_no_time() -> None:
    with pytest.raises(DataError, match="has type Boolean; expected numbers, dates, datetimes or"):
        read([True])
