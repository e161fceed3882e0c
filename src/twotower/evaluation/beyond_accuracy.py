"""Metrics of whether a user's items are new, unexpected and different from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from twotower.evaluation.lists import JudgedLists, Values
from twotower.evaluation.metric import UserMetric

__all__ = ["IntraListDiversity", "Novelty", "Serendipity", "Surprisal"]

_BLOCK = 4_000_000  # entries of the interaction matrix that are multiplied at a time


class Novelty(UserMetric):
    """The share of the first K outside the user's train history; 1 for an empty list.

    RePlay's: averaged over all users of train, 1 for each who is not in the holdout.
    """

    name = "novelty"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        length = np.minimum(lists.n_recommended, k)
        values: Values = 1.0 - lists.in_history[:, :k].sum(1) / np.maximum(length, 1)
        return values

    def averaged(self, lists: JudgedLists, values: Values) -> Values:
        """Return the values of all users of the train part."""
        full = np.ones(lists.fold.train.n_users)
        full[lists.users.numpy()[lists.known]] = values[lists.known]
        return full


class Surprisal(UserMetric):
    """The mean over K places of log2(users / users of the item) / log2(users).

    RePlay's: averaged over users with recommendations. An item without users has 1.
    """

    name = "surprisal"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        train = lists.fold.train
        item_users = np.bincount(train.items_by_user.items.numpy(), minlength=train.n_items)
        scale = max(float(np.log2(train.n_users)), 1.0)  # with a single user nothing is surprising
        weights = np.log2(train.n_users / np.maximum(item_users, 1)) / scale
        weights[item_users == 0] = 1.0
        weights = np.append(weights, 1.0)  # of cold items, which have no users
        items = np.minimum(lists.items[:, :k].numpy(), train.n_items)
        total = np.where(items >= 0, weights[items], 0.0).cumsum(1)[:, -1]  # from left to right
        values: Values = total / k
        return values

    def averaged(self, lists: JudgedLists, values: Values) -> Values:
        """Return the values of the users with recommendations."""
        return values[lists.n_recommended > 0]


class Serendipity(UserMetric):
    """The mean over K places of max(p - q, 0) at hits, 0 elsewhere.

    RecTools' Serendipity: p = (n_items + 1 - place) / n_items is how strongly the item is
    recommended, q = (n_items + 1 - rank) / n_items how strongly popularity would. Items with
    equal counts share a rank, without gaps between ranks; q is 0 for cold items.
    """

    name = "serendipity"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        counts = lists.fold.train.item_counts.numpy()
        n_items = lists.fold.items.n
        distinct = np.unique(counts)
        ranks = len(distinct) - np.searchsorted(distinct, counts)
        popular = np.zeros(n_items + 1)  # the last is for items that the fold does not know
        popular[: len(counts)] = np.where(counts > 0, (n_items + 1 - ranks) / n_items, 0.0)
        items = np.clip(lists.items[:, :k].numpy(), -1, n_items)
        recommended = (n_items - np.arange(items.shape[1])) / n_items
        gains = np.where(lists.hits[:, :k], np.maximum(recommended - popular[items], 0.0), 0.0)
        values: Values = gains.cumsum(1)[:, -1] / k
        return values


class IntraListDiversity(UserMetric):
    """The mean distance between two of the first K items; 0 for a list of fewer than two.

    RecTools' IntraListDiversity with the distance 1 - |A and B| / sqrt(|A| |B|), where A and B are
    the train users of the items: the cosine distance of their columns in the interaction matrix. A
    cold item has distance 1 to all others.
    """

    name = "intra_list_diversity"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        train = lists.fold.train
        items = lists.items[:, :k].numpy()
        first, second = np.triu_indices(items.shape[1], 1)
        left, right = items[:, first], items[:, second]  # [U, pairs]
        both = (left >= 0) & (right >= 0)
        warm = both & (left < train.n_items) & (right < train.n_items)
        distances = np.where(both, 1.0, 0.0)
        distances[warm] -= _cosines(lists, left[warm], right[warm])
        n_pairs = np.maximum(both.sum(1), 1)
        values: Values = distances.sum(1) / n_pairs
        return values


def _cosines(
    lists: JudgedLists, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the cosines of pairs of train items, each distinct pair once: [n]."""
    train = lists.fold.train
    pairs, which = np.unique(
        np.minimum(left, right) * train.n_items + np.maximum(left, right), return_inverse=True
    )
    by_user = train.items_by_user
    shape = (train.n_items, train.n_users)
    ones = np.ones(len(by_user.items))
    users = sparse.csr_array((ones, (by_user.items.numpy(), by_user.rows.numpy())), shape=shape)
    counts = np.diff(users.indptr)
    one, other = pairs // train.n_items, pairs % train.n_items
    common = np.empty(len(pairs))
    ends = np.cumsum(counts[one] + counts[other])
    blocks = np.searchsorted(ends, np.arange(_BLOCK, ends[-1] if len(ends) else 0, _BLOCK))
    for block in np.split(np.arange(len(pairs)), blocks):
        common[block] = users[one[block]].multiply(users[other[block]]).sum(1)
    cosines: NDArray[np.float64] = (common / np.sqrt(np.maximum(counts[one] * counts[other], 1)))[
        which
    ]
    return cosines
