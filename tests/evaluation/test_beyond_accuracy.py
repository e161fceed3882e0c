"""Metrics that RePlay lacks, against SciPy, plain loops, and properties of their definitions."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_folds import make_fold, recommend  # type: ignore[import-not-found]
from scipy.spatial.distance import cosine, jensenshannon
from scipy.stats import entropy

from twotower.evaluation import JudgedLists, beyond_accuracy
from twotower.evaluation.beyond_accuracy import IntraListDiversity, Serendipity
from twotower.evaluation.exposure import Entropy, Gini
from twotower.evaluation.popularity_bias import (
    PopularityMiscalibration,
    TailShare,
    popularity_groups,
)

N_ITEMS = 8


@st.composite
def judged(draw: st.DrawFn) -> JudgedLists:
    item = st.integers(0, N_ITEMS - 1)
    histories = draw(st.lists(st.lists(item, min_size=1, max_size=6), min_size=2, max_size=8))
    users = range(len(histories) + 1)  # the last is cold
    lists = [draw(st.lists(item, max_size=5, unique=True)) for _ in users]
    relevant = {user: draw(st.lists(item, min_size=1, unique=True)) for user in users}
    fold = make_fold(histories, N_ITEMS, relevant)
    return JudgedLists.of(recommend(lists, torch.tensor([*users]), 5), fold)


def listed(lists: JudgedLists, k: int) -> list[list[int]]:
    return [[item for item in row[:k] if item >= 0] for row in lists.items.tolist()]


def interactions(lists: JudgedLists) -> np.ndarray:
    """[n_users, n_items], 1 where the user has interacted with the item."""
    train = lists.fold.train
    matrix = np.zeros((train.n_users, train.n_items))
    matrix[train.users, train.items] = 1
    return matrix


@settings(max_examples=40, deadline=None)
@given(lists=judged(), block=st.sampled_from([1, 5, 4_000_000]))
def test_intra_list_diversity_is_the_mean_cosine_distance(lists: JudgedLists, block: int) -> None:
    matrix = interactions(lists)
    expected = []
    for items in listed(lists, 4):
        pairs = list(combinations(items, 2))
        distances = [
            cosine(matrix[:, i], matrix[:, j]) if matrix[:, i].any() and matrix[:, j].any() else 1
            for i, j in pairs
        ]
        expected.append(np.mean(distances) if pairs else 0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beyond_accuracy, "_BLOCK", block)
        assert IntraListDiversity().per_user(lists, 4) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(lists=judged())
def test_serendipity_counts_hits_that_popularity_ranks_lower(lists: JudgedLists) -> None:
    counts = lists.fold.train.item_counts.tolist()
    ranks = {count: place for place, count in enumerate(sorted({*counts}, reverse=True), 1)}
    expected = []
    for items, hits in zip(listed(lists, 3), lists.hits, strict=True):
        total = 0.0
        for place, item in enumerate(items, 1):
            own = (N_ITEMS + 1 - place) / N_ITEMS
            popular = (N_ITEMS + 1 - ranks[counts[item]]) / N_ITEMS if counts[item] else 0.0
            total += max(own - popular, 0.0) * hits[place - 1]
        expected.append(total / 3)
    assert Serendipity().per_user(lists, 3) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(lists=judged())
def test_exposure_against_scipy_and_pairs(lists: JudgedLists) -> None:
    counts = np.bincount([i for items in listed(lists, 4) for i in items], minlength=N_ITEMS)
    if not counts.sum():
        assert Gini().of_lists(lists, 4) == Entropy().of_lists(lists, 4) == 0
        return
    # Half of the relative mean absolute difference.
    differences = np.abs(counts[:, None] - counts[None, :]).sum()
    gini = differences / (2 * N_ITEMS * counts.sum())
    assert Gini().of_lists(lists, 4) == pytest.approx(gini, abs=1e-12)
    assert Entropy().of_lists(lists, 4) == pytest.approx(entropy(counts, base=2), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(lists=judged())
def test_miscalibration_against_scipy(lists: JudgedLists) -> None:
    train = lists.fold.train
    groups = popularity_groups(train.item_counts.numpy(), (0.2, 0.8))
    values = PopularityMiscalibration().per_user(lists, 4)
    for user, items in enumerate(listed(lists, 4)):
        if user >= train.n_users or not items:
            assert np.isnan(values[user])
            continue
        known = np.bincount(groups[train.items[train.users == user].numpy()], minlength=3)
        shares = np.bincount(groups[items], minlength=3)
        expected = jensenshannon(known, shares, base=2) ** 2
        assert values[user] == pytest.approx(expected, abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(lists=judged())
def test_tail_share_is_a_mean_over_users_with_recommendations(lists: JudgedLists) -> None:
    tail = popularity_groups(lists.fold.train.item_counts.numpy(), (0.8,))
    metric = TailShare()
    values = metric.per_user(lists, 4)
    expected = [np.mean(tail[items]) for items in listed(lists, 4) if items]
    assert metric.averaged(lists, values) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("counts", "edges", "groups"),
    [
        # Before each are 0, 4, 7 and 9 of 10; equal counts are in order of row number.
        ([1, 4, 3, 2], (0.8,), [1, 0, 0, 0]),
        ([2, 2, 2, 2, 2], (0.2, 0.8), [0, 1, 1, 1, 2]),
        # An item belongs where its first interaction is.
        ([10, 0], (0.2, 0.8), [0, 2]),
        ([5, 5], (0.2, 0.8), [0, 1]),
    ],
)
def test_popularity_groups_by_hand(
    counts: list[int], edges: tuple[float, ...], groups: list[int]
) -> None:
    assert popularity_groups(np.array(counts), edges).tolist() == groups


def test_cold_items_are_far_from_all_and_in_the_tail() -> None:
    # Item 2 is known by its features only; the list has it and item 0.
    fold = make_fold([[0, 1], [0]], 3, {0: [2]})
    fold = replace(fold, train=replace(fold.train, n_items=2))
    cold = JudgedLists.of(recommend([[2, 0]], torch.tensor([0]), 2), fold)
    assert IntraListDiversity().per_user(cold, 2).tolist() == [1.0]
    assert TailShare().per_user(cold, 2).tolist() == [0.5]
    # A hit at place 1 of an item that nobody has interacted with: (1 - 0) / 2.
    assert Serendipity().per_user(cold, 2).tolist() == [0.5]
