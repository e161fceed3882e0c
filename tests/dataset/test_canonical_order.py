"""A log is sorted in pieces as it would be at once."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from twotower.dataset import canonical
from twotower.dataset.canonical import sorted_log


@pytest.mark.parametrize("n_moments", [1, 2, 30, 10_000])
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("n", [0, 1, 200])
def test_rows_are_in_the_order_of_a_plain_sort(
    n_moments: int, text: bool, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canonical, "_ROWS_AT_ONCE", 7)
    generator = np.random.default_rng([n_moments, n])
    log = pl.DataFrame(
        {
            "user_id": pl.Series(generator.integers(10, size=n)).cast(pl.Int64),
            "item_id": pl.Series(generator.integers(10, size=n)).cast(pl.Int64),
            "rating": pl.Series(generator.integers(5, size=n)).cast(pl.Float64),
            "timestamp": pl.Series(generator.integers(n_moments, size=n)).cast(pl.Datetime("us")),
        }
    )
    if text:
        log = log.with_columns(pl.col("user_id").cast(pl.String))
    plain = log.sort("timestamp", "user_id", "item_id", "rating")
    assert_frame_equal(sorted_log(log), plain)
    numbered = log.with_columns(file_order=pl.Series(generator.permutation(n)).cast(pl.Int64))
    plain = numbered.sort("timestamp", "file_order")
    assert_frame_equal(sorted_log(numbered), plain)
