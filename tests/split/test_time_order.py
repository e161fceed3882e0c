"""The order of rows in time is that of a plain sort by time, hash of the pair, and row."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twotower.types.order import _hash_pairs, in_time, time_order, turns

N = 3000
RNG = np.random.default_rng(0)
IDS = {"user_id": RNG.integers(0, 20, N), "item_id": RNG.integers(0, 20, N)}


def sorted_rows(log: pl.DataFrame) -> list[int]:
    """The reference: one sort of Polars by all three."""
    file_order = "file_order" in log.columns
    ties = log["file_order"] if file_order else pl.Series(_hash_pairs(log))
    rows = pl.DataFrame([log["timestamp"], ties.alias("ties")]).with_row_index()
    return rows.sort("timestamp", "ties", "index")["index"].to_list()


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(np.sort(RNG.integers(0, 300, N)), id="sorted"),
        pytest.param(RNG.integers(-300, 300, N), id="unsorted"),
        pytest.param(RNG.permutation(N), id="no ties"),
        pytest.param(np.zeros(N, dtype=np.int64), id="one moment"),
        pytest.param(RNG.integers(0, 4, N) / 4, id="fractions"),
        pytest.param(RNG.integers(0, 300, N).astype("datetime64[us]"), id="datetimes"),
        pytest.param(RNG.integers(0, 30, N).astype(str), id="text"),
        pytest.param([None, 2, 1] * (N // 3), id="nulls"),
    ],
)
@pytest.mark.parametrize("extra", ["integer ids", "text ids", "distant ids", "file order"])
def test_time_order_is_that_of_a_plain_sort(times: object, extra: str) -> None:
    log = pl.DataFrame({**IDS, "timestamp": times})
    if extra == "text ids":
        log = log.with_columns(pl.col("user_id").cast(pl.String))
    elif extra == "distant ids":
        log = log.with_columns(pl.col("user_id") * 2**40 - 2**43)
    elif extra == "file order":
        log = log.with_columns(file_order=pl.int_range(pl.len(), 0, -1))
    order = time_order(log)
    assert order.tolist() == sorted_rows(log)
    assert turns(log)[order].tolist() == list(range(N))


def test_an_empty_log_and_a_log_without_times_keep_their_order() -> None:
    empty = pl.DataFrame({"user_id": [], "item_id": [], "timestamp": []})
    assert time_order(empty).tolist() == []
    timeless = pl.DataFrame(IDS)
    assert in_time(timeless) is timeless


def test_an_id_has_one_hash_as_number_and_as_text() -> None:
    log = pl.DataFrame(IDS)
    assert (_hash_pairs(log) == _hash_pairs(log.cast(pl.String))).all()
