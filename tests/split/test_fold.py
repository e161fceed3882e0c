"""Row numbers fitted on train, ground truth, seen items and cold ids."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_logs import make_log  # type: ignore[import-not-found]
from polars.testing import assert_series_equal

from twotower.core.errors import DataError
from twotower.split.fold import make_fold
from twotower.types import Fold, ItemLists

# Users a=0 b=1 c=2, items x=0 y=1 z=2. In order of time: cz ax bx by.
TRAIN = make_log(("b", "x", 5), ("a", "x", 3), ("b", "y", 9), ("c", "z", 1))


def fold_of(holdout: pl.DataFrame, history: pl.DataFrame = TRAIN, **drop: bool) -> Fold:
    cold = {"drop_cold_users": True, "drop_cold_items": True} | drop
    return make_fold(TRAIN, holdout, history, cold["drop_cold_users"], cold["drop_cold_items"])


def lists(ragged: ItemLists) -> list[list[int]]:
    ends = ragged.offsets.tolist()
    return [ragged.items[a:b].tolist() for a, b in pairwise(ends)]


def test_train_is_encoded_in_order_of_time() -> None:
    fold = fold_of(make_log(("a", "y", 10)))
    assert fold.vocabulary.users.to_list() == ["a", "b", "c"]
    assert fold.vocabulary.items.to_list() == ["x", "y", "z"]
    assert fold.train.users.tolist() == [2, 0, 1, 1]
    assert fold.train.items.tolist() == [2, 0, 0, 1]
    assert (fold.train.n_users, fold.train.n_items) == (3, 3)
    assert fold.train.users.dtype == fold.train.items.dtype == torch.int32


def test_timestamps_are_microseconds_in_the_order_of_train() -> None:
    # 2024-01-01 is 19,723 days after 1970-01-01; in order of time: 1, 3, 5 and 9 seconds later.
    start = 19_723 * 86_400
    timestamps = fold_of(make_log(("a", "y", 10))).train.timestamps
    assert timestamps is not None
    assert timestamps.tolist() == [(start + seconds) * 1_000_000 for seconds in (1, 3, 5, 9)]


def test_without_time_train_stays_in_its_own_order() -> None:
    fold = make_fold(TRAIN.drop("timestamp"), TRAIN, TRAIN, True, True)
    assert fold.train.users.tolist() == [1, 0, 1, 2]
    assert fold.train.timestamps is None


def test_holdout_has_users_ascending_with_their_items_and_what_they_saw() -> None:
    fold = fold_of(make_log(("b", "z", 10), ("a", "z", 11), ("a", "y", 12)))
    assert fold.holdout.users.tolist() == [0, 1]
    assert lists(fold.holdout.relevant) == [[1, 2], [2]]
    assert lists(fold.holdout.seen) == [[0], [0, 1]]


def test_history_is_what_counts_as_seen_without_items_that_train_lacks() -> None:
    later = make_log(("a", "y", 10), ("a", "q", 11), ("c", "x", 12))
    fold = fold_of(make_log(("a", "z", 20)), history=pl.concat([TRAIN, later]))
    assert lists(fold.holdout.seen) == [[0, 1]]


def test_a_seen_item_that_only_features_know_is_dropped_from_rankings_too() -> None:
    later = make_log(("a", "q", 11))  # of validation, before the test
    holdout = make_log(("a", "q", 20), ("a", "y", 21))
    fold = fold_of(holdout, pl.concat([TRAIN, later]), drop_cold_items=False)
    assert lists(fold.holdout.seen) == [[0, 3]]
    assert fold.histories.items[: fold.histories.offsets[1]].tolist() == [0, 3]
    # No tower has learned of q as a part of a history.
    assert fold.train_histories.items[: fold.train_histories.offsets[1]].tolist() == [0]


def test_cold_pairs_are_dropped_when_asked() -> None:
    holdout = make_log(("q", "x", 10), ("a", "q", 11), ("a", "y", 12))
    fold = fold_of(holdout)
    assert fold.holdout.users.tolist() == [0]
    assert lists(fold.holdout.relevant) == [[1]]


def test_cold_pairs_are_kept_with_row_numbers_after_those_of_train() -> None:
    holdout = make_log(("r", "x", 10), ("q", "y", 11), ("a", "p", 12), ("r", "o", 13))
    history = pl.concat([TRAIN, make_log(("q", "z", 9))])  # q is known, but not to train
    fold = fold_of(holdout, history, drop_cold_users=False, drop_cold_items=False)
    # Cold users q=3 r=4, cold items o=3 p=4.
    assert fold.holdout.users.tolist() == [0, 3, 4]
    assert lists(fold.holdout.relevant) == [[4], [1], [0, 3]]
    assert lists(fold.holdout.seen) == [[0], [2], []]
    assert fold.vocabulary.users.to_list() == ["a", "b", "c", "q", "r"]
    assert fold.vocabulary.items.to_list() == ["x", "y", "z", "o", "p"]
    assert (fold.users.n, fold.users.n_train, fold.items.n, fold.items.n_train) == (5, 3, 5, 3)
    # Histories are what is seen, of all users: a x, b x and y, c z, q z, r nothing.
    assert fold.histories.offsets.tolist() == [0, 1, 3, 4, 5, 5]
    assert fold.histories.items.tolist() == [0, 0, 1, 2, 2]


def test_features_are_in_row_order() -> None:
    holdout = make_log(("q", "y", 11), ("a", "p", 12))
    items = pl.DataFrame({"item_id": ["o", "y", "x"], "year": [1, 2, 3]})
    users = pl.DataFrame({"user_id": ["q", "c"], "age": [20, 30]})
    both = {"user_features": users, "item_features": items}
    kept = make_fold(TRAIN, holdout, TRAIN, False, False, **both)
    # Item o is in no part, but could be recommended as well as p, of which nothing is known.
    assert kept.vocabulary.items.to_list() == ["x", "y", "z", "o", "p"]
    assert kept.items.features is not None
    assert kept.items.features.to_dict(as_series=False) == {"year": [3, 2, None, 1, None]}
    assert kept.users.features is not None
    assert kept.users.features.to_dict(as_series=False) == {"age": [None, None, 30, 20]}
    dropped = make_fold(TRAIN, make_log(("a", "y", 12)), TRAIN, True, True, **both)
    assert dropped.vocabulary.items.to_list() == ["x", "y", "z"]
    assert dropped.items.features is not None
    assert dropped.items.features["year"].to_list() == [3, 2, None]


def test_known_interactions_are_seen_but_not_trained_on() -> None:
    holdout = make_log(("q", "y", 20))
    known = make_log(("q", "z", 18), ("q", "x", 17), ("q", "new", 19))
    fold = make_fold(TRAIN, holdout, TRAIN, False, True, known=known)
    assert len(fold.train) == 4
    assert fold.holdout.users.tolist() == [3]
    assert lists(fold.holdout.seen) == [[0, 2]]  # x and z; train has no `new`
    # In order of time, x before z.
    assert fold.histories.items[fold.histories.offsets[3] :].tolist() == [0, 2]


def test_each_switch_is_its_own() -> None:
    holdout = make_log(("q", "x", 10), ("a", "q", 11))
    users_kept = fold_of(holdout, drop_cold_users=False)
    assert users_kept.holdout.users.tolist() == [3]
    items_kept = fold_of(holdout, drop_cold_items=False)
    assert lists(items_kept.holdout.relevant) == [[3]]


def test_a_repeated_item_stays_in_the_ground_truth() -> None:
    fold = fold_of(make_log(("a", "x", 10)))
    assert lists(fold.holdout.relevant) == lists(fold.holdout.seen) == [[0]]


def test_an_empty_part_reports_how_much_was_cold() -> None:
    with pytest.raises(DataError) as error:
        fold_of(make_log(("q", "x", 10), ("r", "y", 11), ("a", "q", 12)))
    assert str(error.value) == (
        "Nothing is left to judge a model by: of 3 held-out interactions 2 are of users and 1 of"
        " items that the train part lacks (3 users, 3 items). Set split.drop_cold_users=false or"
        " split.drop_cold_items=false, or change the split."
    )


def test_an_empty_train_part_is_refused() -> None:
    with pytest.raises(DataError, match="The train part is empty"):
        make_fold(TRAIN.clear(), TRAIN, TRAIN, True, True)


@st.composite
def logs_of_one_type(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    kind: Any = draw(st.sampled_from([st.integers(-9, 9), st.text("aÄ0", max_size=2)]))
    rows = st.lists(st.tuples(kind, kind, st.integers(0, 5)), min_size=1, max_size=30)
    return make_log(*draw(rows)), make_log(*draw(rows))


@settings(deadline=None, max_examples=60)
@given(logs_of_one_type())
def test_ids_come_back_from_row_numbers(logs: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    train, holdout = logs
    fold = make_fold(train, holdout, train, drop_cold_users=False, drop_cold_items=False)
    ordered = train.sort("timestamp", maintain_order=True)
    users, items = fold.vocabulary.users, fold.vocabulary.items
    assert_series_equal(users[fold.train.users.numpy()], ordered["user_id"], check_names=False)
    assert_series_equal(items[fold.train.items.numpy()], ordered["item_id"], check_names=False)
    # Train's own come first, then what only the holdout has.
    n_users, n_items = fold.train.n_users, fold.train.n_items
    for ids, key, n in ((users, "user_id", n_users), (items, "item_id", n_items)):
        assert ids[:n].to_list() == sorted(set(train[key]))
        assert ids[n:].to_list() == sorted(set(holdout[key]) - set(train[key]))
    # Ground truth: as many users and pairs as the holdout has, warm pairs by their own ids.
    held = set(holdout.select("user_id", "item_id").iter_rows())
    assert len(fold.holdout.users) == len({user for user, _ in held})
    assert len(fold.holdout.relevant.items) == len(held)
    rows = fold.holdout.users[fold.holdout.relevant.rows].tolist()
    pairs = zip(rows, fold.holdout.relevant.items.tolist(), strict=True)
    assert {(users[u], items[i]) for u, i in pairs} == held
    for row, user in enumerate(fold.holdout.users.tolist()):
        seen = {items[i] for i in lists(fold.holdout.seen)[row]}
        assert seen == set(train.filter(pl.col("user_id") == users[user])["item_id"])


def test_weights_are_shares_of_their_mean_in_the_order_of_train() -> None:
    weights = pl.Series("weight", [1.0, 3.0, 0.0, 4.0])  # of bx, ax, by, cz
    train = TRAIN.with_columns(weights)
    made = make_fold(train, make_log(("a", "y", 10)), train, True, True)
    assert made.train.weights is not None
    assert made.train.weights.tolist() == [2.0, 1.5, 0.5, 0.0]
    none = train.with_columns(weights * 0)
    with pytest.raises(DataError, match=r"dataset\.columns\.weight: all weights of the train part"):
        make_fold(none, make_log(("a", "y", 10)), none, True, True)
