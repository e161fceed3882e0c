"""Fold-in: the oldest interactions of each held-out user become known to the model."""

from __future__ import annotations

from collections import Counter
from typing import Any

import made_logs  # type: ignore[import-not-found]
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from twotower.split.fold_in import fold_in


def make_log(*rows: tuple[Any, Any, int]) -> pl.DataFrame:
    """Return the log of made_logs.make_log with row numbers."""
    log: pl.DataFrame = made_logs.make_log(*rows)
    return log.with_columns(row=pl.int_range(pl.len()))


def text(frame: pl.DataFrame) -> str:
    """Pairs of one-letter users and items as `ax ay bx`."""
    return " ".join(f"{user}{item}" for user, item in frame.select("user_id", "item_id").rows())


# a does v w x y z, b does x v, c does w alone; the rows are not in order of time.
THREE = make_log(
    ("a", "z", 9), ("a", "v", 1), ("b", "v", 5), ("a", "x", 4),
    ("c", "w", 0), ("b", "x", 2), ("a", "w", 3), ("a", "y", 7),
)  # fmt: skip


@pytest.mark.parametrize(
    ("share", "known", "truth"),
    [
        # Of a's 5, b's 2 and c's 1: 0.5 is 2.5, 1, 0.5, rounded down 2 1 0.
        (0.5, "av bx aw", "az bv ax cw ay"),
        (0.8, "av ax bx aw ay", "az bv cw"),  # 4, 1.6, 0.8: 4 1 0
        (0.4, "av aw", "az bv ax cw bx ay"),  # 2, 0.8, 0.4: 2 0 0
        (0.1, "", "az av bv ax cw bx aw ay"),  # 0.5, 0.2, 0.1: none
        (1 - 2**-53, "av ax bx aw ay", "az bv cw"),  # the largest below 1: all but one
    ],
)
def test_the_oldest_of_each_user_are_known(share: float, known: str, truth: str) -> None:
    assert [text(part) for part in fold_in(THREE, share, seed=0)] == [known, truth]


def test_a_share_that_is_whole_on_paper_is_whole() -> None:
    # In floating point 0.29 x 100 is 28.999999999999996 and 0.57 x 100 is 56.99999999999999.
    log = make_log(*(("a", item, item) for item in range(100)))
    assert [len(fold_in(log, share, seed=0)[0]) for share in (0.29, 0.57)] == [29, 57]


def test_rows_of_one_moment_are_drawn_by_the_seed() -> None:
    # The first of six is older than the rest and always known; two of the five others are drawn.
    log = make_log(("a", "u", 0), *(("a", item, 1) for item in "vwxyz"))
    known_part = [text(fold_in(log, 0.5, seed)[0]) for seed in range(20)]
    assert known_part[0] == text(fold_in(log, 0.5, 0)[0])
    assert len(set(known_part)) > 3  # of 10 pairs
    assert all(pairs.startswith("au ") for pairs in known_part)


def test_without_timestamps_they_are_drawn_among_all_by_the_seed() -> None:
    log = make_log(*((user, item, 0) for user in "ab" for item in "vwxyz")).drop("timestamp")
    draws = [fold_in(log, 0.4, seed)[0] for seed in range(40)]
    assert all(Counter(known["user_id"]) == {"a": 2, "b": 2} for known in draws)
    # Each of 10 rows is in 2/5 of 40 draws, 16 on average, give or take 3.1.
    counts = Counter(row for known in draws for row in known["row"])
    assert set(counts) == set(range(10))
    assert all(4 <= count <= 28 for count in counts.values())


logs = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 6), st.integers(0, 9)),
    min_size=1,
    max_size=40,
    unique=True,
).map(lambda rows: make_log(*rows))
shares = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.8, 0.99])


@settings(deadline=None, max_examples=50)
@given(log=logs, share=shares, seed=st.integers(0, 3), timed=st.booleans())
def test_both_are_the_whole_and_each_user_keeps_ground_truth(
    log: pl.DataFrame, share: float, seed: int, timed: bool
) -> None:
    log = log if timed else log.drop("timestamp")
    known, truth = fold_in(log, share, seed)
    assert_frame_equal(pl.concat([known, truth]).sort("row"), log)
    assert known["row"].is_sorted()
    assert truth["row"].is_sorted()
    counts, known_part = Counter(log["user_id"]), Counter(known["user_id"])
    assert set(truth["user_id"]) == set(counts)
    for user, count in counts.items():
        # In hundredths, so that no rounding of this test's own comes in.
        assert known_part[user] == min(round(share * 100) * count // 100, count - 1)
        if timed and known_part[user]:
            newest = known.filter(user_id=user)["timestamp"].sort()[-1]
            assert newest <= truth.filter(user_id=user)["timestamp"].sort()[0]


@settings(deadline=None, max_examples=50)
@given(log=logs, share=shares, timed=st.booleans(), data=st.data())
def test_the_order_of_the_rows_decides_nothing(
    log: pl.DataFrame, share: float, timed: bool, data: st.DataObject
) -> None:
    log = log if timed else log.drop("timestamp").unique(["user_id", "item_id"])
    order = data.draw(st.permutations(range(len(log))))
    known, again = fold_in(log, share, 0)[0], fold_in(log[order], share, 0)[0]
    assert sorted(known["row"]) == sorted(again["row"])
