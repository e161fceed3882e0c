"""Dates written as integers, and columns that only order: read right or refused, never 1970."""

from __future__ import annotations

import polars as pl
import pytest
from case_runner import Case

TIMED = ("dataset.path=ts_ymd.csv", "split=time")


def test_dates_as_integers_are_refused_with_their_format(case: Case) -> None:
    output = case.train(*TIMED, "trainer.half_life=30", code=1).text
    assert "ts_ymd.csv: column 'timestamp' has a time outside the years 1971 to" in output
    assert "set dataset.timestamp_format=%Y%m%d" in output


def test_with_the_format_the_range_is_reported(case: Case) -> None:
    days = pl.read_csv("ts_ymd.csv", schema_overrides={"timestamp": pl.String})["timestamp"]
    first, last = days.sort().str.replace(r"(....)(..)(..)", "$1-$2-$3 00:00:00").gather([0, -1])
    output = case.train(
        *TIMED,
        "trainer.half_life=30",
        "baselines=[popularity,recent_popularity]",
        "dataset.timestamp_format=%Y%m%d",
    ).text
    assert f"times: {first} to {last} UTC" in output
    assert "0.5882" in output  # of recent_popularity's HitRate@10


@pytest.mark.parametrize(
    "needs_moments",
    [
        ("trainer.half_life=30",),
        ("split=time", "split.test_start=2023-06-01"),
        ("split.strategy=timedelta",),
    ],
)
def test_an_order_is_no_time(case: Case, needs_moments: tuple[str, ...]) -> None:
    log = pl.read_csv("ts_ymd.csv").with_columns(timestamp=pl.int_range(pl.len()))
    log.write_csv("counted.csv")
    order = ("dataset.path=counted.csv", "dataset.timestamp_unit=order")
    output = case.train(*order, *needs_moments, code=1).text
    assert "dataset.timestamp_unit=order" in " ".join(output.split())


@pytest.mark.parametrize("split", ["last_n", "new_users"])
def test_an_order_is_enough_for_splits_by_order(case: Case, split: str) -> None:
    log = pl.read_csv("ts_ymd.csv").with_columns(timestamp=pl.int_range(pl.len()))
    log.write_csv("counted.csv")
    output = case.train(
        *("dataset.path=counted.csv", "dataset.timestamp_unit=order", f"split={split}"),
        *("tower=history", "split.drop_cold_users=false"),
    ).text
    assert f"times: 0 to {len(log) - 1} (an order, no times)" in output
