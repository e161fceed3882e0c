from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_models import METRIC, model, pairs, users  # type: ignore[import-not-found]

from twotower.comparison.groups import quantile_groups
from twotower.comparison.history import by_history
from twotower.comparison.pairing import pair
from twotower.comparison.popularity import by_popularity, relevant_pairs


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# --- groups


@pytest.mark.parametrize(
    ("values", "n_groups", "labels"),
    [
        ([8, 1, 2, 3, 4, 5, 6, 7], 4, ["1-2", "3-4", "5-6", "7-8"]),
        # A quarter of 8 do not exceed 1, half 1, three quarters 3: cut after 1 and 3.
        ([1, 1, 1, 1, 2, 3, 4, 9], 4, ["1", "2-3", "4-9"]),
        ([5, 5, 5], 4, ["5"]),
        ([3, 1, 2], 1, ["1-3"]),
        ([7, 9], 10, ["7", "9"]),
    ],
)
def test_groups_by_hand(values: list[int], n_groups: int, labels: list[str]) -> None:
    assert quantile_groups(np.array(values), n_groups)[0] == labels


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 12))
def test_groups_are_filled_and_split_no_value(values: list[int], n_groups: int) -> None:
    labels, edges = quantile_groups(np.array(values), n_groups)
    which = np.searchsorted(edges, values)
    assert 1 <= len(labels) <= n_groups
    assert set(which) == set(range(len(labels)))
    for group, label in enumerate(labels):
        inside = [value for value, its in zip(values, which, strict=True) if its == group]
        ends = dict.fromkeys((min(inside), max(inside)))
        assert label == "-".join(map(str, ends))
    if len(set(values)) == len(values) and len(values) % n_groups == 0:
        assert set(np.bincount(which)) == {len(values) // n_groups}


# --- history


def test_means_by_length_of_history_by_hand() -> None:
    # Users 0 and 2 have seen 1 and 3, users 1 and 3 have seen 20 and 30.
    seen = [1, 20, 3, 30]
    a = model("a", users([1, 0, 0, 0], n_seen=seen), users([1, 1, 0, 0], n_seen=seen))
    b = model("b", users([0.5, 1, 0.5, 1], n_seen=seen))
    frame = by_history(["a", "b"], pair([a, b], METRIC), 2, 2000, 0.95, rng())
    assert frame.columns == ["n_seen", "n_users", "name", "mean", "low", "high"]
    assert frame.drop("low", "high").rows() == [
        ("1-3", 2, "a", 0.5),
        ("1-3", 2, "b", 0.5),
        ("20-30", 2, "a", 0.25),
        ("20-30", 2, "b", 1.0),
    ]
    # a, short: user 0 has 1 and user 2 has 0 whatever the seed: one in four resamples is all 0.
    # b does not vary.
    assert frame.select("low", "high").rows() == [(0, 1), (0.5, 0.5), (0, 1), (1, 1)]


# --- popularity

RELEVANT = pairs(
    # user, item, popularity, rank
    (1, 10, 100, 1),
    (2, 10, 100, 3),
    (3, 10, 100, None),
    (1, 20, 50, 2),
    (2, 30, 4, None),
    (3, 40, 3, 1),
)


def test_recall_by_popularity_by_hand() -> None:
    # Items, each once: 40 (3), 30 (4), 20 (50), 10 (100); halves 3-4 and 50-100, though the four
    # pairs of the upper half are two thirds of all. In the first 2: 1 of 2, and 2 of 4.
    other = RELEVANT.with_columns(rank=1).sample(fraction=1, shuffle=True, seed=0)
    a = model("a", users([1]), users([1]), relevant=[RELEVANT, other])  # its second seed finds all
    b = model("b", users([1]), relevant=[RELEVANT])
    relevant = relevant_pairs([a, b])
    assert relevant is not None
    frame = by_popularity(["a", "b"], relevant, k=2, n_groups=2)
    assert frame.columns == ["popularity", "n_items", "n_pairs", "name", "recall"]
    assert frame.rows() == [
        ("3-4", 2, 2, "a", 0.75),
        ("3-4", 2, 2, "b", 0.5),
        ("50-100", 2, 4, "a", 0.75),
        ("50-100", 2, 4, "b", 0.5),
    ]
    at_3 = by_popularity(["a", "b"], relevant, k=3, n_groups=1)
    assert at_3["recall"].to_list() == [5 / 6, 4 / 6]
    assert relevant.notes == ()


def test_cold_pairs_are_left_out_and_counted() -> None:
    cold = pairs((None, 20, 50, None), (4, None, 0, None), (5, None, 0, None), (6, 20, 50, 1))
    a = model("a", users([1]), relevant=[RELEVANT.vstack(cold)])
    # To this model, which was trained on less, all users but 6 are cold.
    b = model("b", users([1]), relevant=[pairs((6, 20, 49, 3), (None, 10, 99, None))])
    relevant = relevant_pairs([a, b])
    assert relevant is not None
    assert relevant.pairs.rows() == [(6, 20, 50)]
    assert by_popularity(["a", "b"], relevant, 1, 10)["recall"].to_list() == [1, 0]
    assert relevant.notes == (
        "9 of 10 relevant pairs are left out of the breakdown by popularity: their user or item is "
        "cold (train does not hold it)",
    )


def test_without_relevant_pairs_there_is_no_breakdown() -> None:
    known, unknown = (
        model(name, users([1]), relevant=r) for name, r in (("a", [RELEVANT]), ("b", None))
    )
    assert relevant_pairs([known]) is not None
    assert relevant_pairs([known, unknown]) is None
    assert relevant_pairs([model("a", users([1]), relevant=[RELEVANT.clear()])]) is None
