"""Repeated pairs are found as Polars finds them, whatever the ids are."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from twotower.preprocessing.repeats import without_repeats
from twotower.types import ITEM, USER

FAR = st.sampled_from([-(2**63), -7, 0, 1, 2**62, 2**63 - 1])  # the range overflows int64
IDS = [st.integers(0, 4), FAR, st.sampled_from(["a", "b", "007", "7"])]


@pytest.mark.parametrize("keep", ["first", "last"])
@given(data=st.data())
def test_one_row_of_each_pair_is_kept_in_order(
    keep: Literal["first", "last"], data: st.DataObject
) -> None:
    users, items = (data.draw(st.sampled_from(range(3))) for _ in range(2))
    pairs: list[Any] = data.draw(st.lists(st.tuples(IDS[users], IDS[items]), min_size=1))
    log = pl.DataFrame({USER: [u for u, _ in pairs], ITEM: [i for _, i in pairs]})
    log = log.with_row_index("row")
    expected = log.unique([USER, ITEM], keep=keep, maintain_order=True)
    assert_frame_equal(without_repeats(log, keep), expected)


def test_a_log_without_repeats_is_not_copied() -> None:
    log = pl.DataFrame({USER: [1, 1, 2], ITEM: [1, 2, 1]})
    assert without_repeats(log, "first") is log
