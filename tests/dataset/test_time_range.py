"""The one line about times, and the warnings for times that mean little."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from twotower.dataset.time_range import report_times
from twotower.types import Interactions

NOON = dt.datetime(2020, 5, 17, 12)


def report(caplog: pytest.LogCaptureFixture, *times: object, test: object = None) -> str:
    caplog.set_level("INFO")
    logs = (pl.DataFrame({"timestamp": values}) for values in (times, [test]))
    log, held_out = logs
    report_times(Interactions(log, None, None, held_out if test else None, "made", "digest"))
    return caplog.text


def test_the_range_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    message = report(caplog, NOON, NOON + dt.timedelta(days=9), test=NOON + dt.timedelta(days=10))
    assert (
        "times: 2020-05-17 12:00:00 to 2020-05-26 12:00:00 UTC (9 days), test 2020-05-27" in message
    )
    assert "WARNING" not in message


def test_a_span_under_a_day_is_flagged(caplog: pytest.LogCaptureFixture) -> None:
    message = report(caplog, NOON, NOON + dt.timedelta(minutes=15))
    assert "All timestamps lie within 0:15:00: are dataset.timestamp_unit and" in message


def test_equal_times_are_flagged(caplog: pytest.LogCaptureFixture) -> None:
    assert "All timestamps are equal" in report(caplog, NOON, NOON)
    assert "dataset.columns.timestamp" in caplog.text


def test_an_order_has_no_span(caplog: pytest.LogCaptureFixture) -> None:
    assert "times: 1 to 3 (an order, no times)" in report(caplog, 3, 1)
    assert "WARNING" not in caplog.text
