"""Metrics of how popular a user's items are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twotower.evaluation.lists import JudgedLists, Values
from twotower.evaluation.metric import UserMetric

__all__ = ["PopularityMiscalibration", "TailShare"]

# Pareto's: the head is the most popular items that together have four fifths of the interactions.
_TAIL = 0.2
# The most and the least popular items, each with a fifth of the interactions, and what is between.
_EDGES = (0.2, 0.8)


class TailShare(UserMetric):
    """The share of the first K in the long tail; users without recommendations have no value.

    The tail is all items but the most popular ones that together have 80% of the train
    interactions. APLT of Abdollahpouri et al. 2019 (FLAIRS, "Managing popularity bias in
    recommender systems with personalized re-ranking").
    """

    name = "tail_share"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        in_tail = popularity_groups(lists.fold.train.item_counts.numpy(), (1 - _TAIL,)) == 1
        in_tail = np.append(in_tail, True)  # cold items
        items = np.minimum(lists.items[:, :k].numpy(), len(in_tail) - 1)
        listed = items >= 0
        lengths = listed.sum(1)
        shares = (in_tail[items] & listed).sum(1) / np.maximum(lengths, 1)
        return np.where(lengths > 0, shares, np.nan)


class PopularityMiscalibration(UserMetric):
    """How far the popularity of the first K differs from that of the user's train history.

    Jensen-Shannon divergence in bits, 0 (the same) to 1 (nothing in common), of their shares in
    three groups: the most popular items that together have 20% of the train interactions, the least
    popular ones that have 20%, and those between. User popularity deviation of Abdollahpouri et
    al. 2021 (UMAP, "User-centered evaluation of popularity bias in recommender systems"). Users
    without history or without recommendations have no value.
    """

    name = "popularity_miscalibration"
    higher_is_better = False

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        train = lists.fold.train
        groups = popularity_groups(train.item_counts.numpy(), _EDGES)
        groups = np.append(groups, len(_EDGES))  # cold items
        items = np.minimum(lists.items[:, :k].numpy(), len(groups) - 1)
        users, places = np.nonzero(items >= 0)
        n_users, n_groups = len(items), len(_EDGES) + 1
        listed = _shares(users, groups[items[users, places]], n_users, n_groups)
        histories = train.histories.select(lists.users[lists.known])
        owners = np.flatnonzero(lists.known)[histories.rows.numpy()]
        known = _shares(owners, groups[histories.items.numpy()], n_users, n_groups)
        return _jensen_shannon(known, listed)


def popularity_groups(counts: NDArray[np.int64], edges: tuple[float, ...]) -> NDArray[np.int64]:
    """Return the group of each item, 0 the most popular: [n_items].

    Items are in order of popularity, equal counts in order of row number, and each belongs to the
    group in which the interactions before it end.

    Args:
        counts: [n_items], interactions of each item.
        edges: Ascending shares of all interactions at which groups end.

    Example:
        Before the items are 0, 6, 8 and 9 of 10 interactions.

        >>> popularity_groups(np.array([6, 2, 1, 1]), (0.8,)).tolist()
        [0, 0, 1, 1]
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    groups = np.empty(len(counts), dtype=np.int64)
    ends = np.array(edges) * counts.sum()
    groups[order] = np.searchsorted(ends - 1e-9 * counts.sum(), before, side="right")
    return groups


def _shares(
    rows: NDArray[np.int64], groups: NDArray[np.int64], n_rows: int, n_groups: int
) -> NDArray[np.float64]:
    """Return the share of each group in each row, NaN for rows without entries: [n_rows, G]."""
    counts = np.bincount(rows * n_groups + groups, minlength=n_rows * n_groups)
    counts = counts.reshape(n_rows, n_groups)
    with np.errstate(invalid="ignore"):
        shares: NDArray[np.float64] = counts / counts.sum(1, keepdims=True)
    return shares


def _jensen_shannon(one: NDArray[np.float64], other: NDArray[np.float64]) -> Values:
    """Return the divergence in bits of each row of two [U, G] distributions."""
    middle = (one + other) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(p == 0, 0.0, p * np.log2(p / middle)) for p in (one, other)]
    values: Values = (terms[0].sum(1) + terms[1].sum(1)) / 2
    return np.maximum(values, 0.0)  # rounding; NaN stays
