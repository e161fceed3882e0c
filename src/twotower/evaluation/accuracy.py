"""Metrics of whether the relevant items are among the first K, and how high."""

import math
from itertools import compress

import numpy as np

from twotower.evaluation.lists import JudgedLists, Values
from twotower.evaluation.metric import UserMetric

__all__ = [
    "AUC",
    "MAP",
    "MRR",
    "NDCG",
    "HitRate",
    "Precision",
    "RPrecision",
    "Recall",
]


class NDCG(UserMetric):
    """Discounted gain of the hits over that of the best list.

    Relevance is binary, the discount is log2(place + 1), and the best list has min(K, relevant)
    hits.
    """

    name = "ndcg"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        discounts = [1 / math.log2(place + 2) for place in range(k)]
        ideals = np.array([sum(discounts[: max(n, 1)]) for n in range(k + 1)])
        # Few patterns of hits differ. Python's own sum, as in RePlay, compensates from 3.12 on.
        packed = np.packbits(lists.hits[:, :k], axis=1)
        _, first, which = np.unique(
            packed.view(f"V{packed.shape[1]}").ravel(), return_index=True, return_inverse=True
        )
        patterns = lists.hits[first, :k].tolist()
        gains = np.array(
            [sum(compress(discounts, pattern)) for pattern in patterns], dtype=np.float64
        )
        values: Values = gains[which] / ideals[np.minimum(lists.n_relevant, k)]
        return values


class HitRate(UserMetric):
    """1 for each list with a relevant item among the first K, else 0."""

    name = "hitrate"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        values: Values = (lists.hits[:, :k].sum(1) > 0).astype(np.float64)
        return values


class Recall(UserMetric):
    """Hits among the first K / all relevant items."""

    name = "recall"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        values: Values = lists.hits[:, :k].sum(1) / np.maximum(lists.n_relevant, 1)
        return values


class Precision(UserMetric):
    """Hits among the first K / K, also for shorter lists."""

    name = "precision"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        values: Values = lists.hits[:, :k].sum(1) / k
        return values


class RPrecision(UserMetric):
    """Hits among the first K / min(K, relevant): 1 if no list of that length can have more hits.

    RecTools' `Precision(k, r_precision=True)`; R-precision proper where K >= relevant.
    """

    name = "r_precision"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        values: Values = lists.hits[:, :k].sum(1) / np.clip(lists.n_relevant, 1, k)
        return values


class MRR(UserMetric):
    """1 / place of the first hit among the first K; 0 without a hit."""

    name = "mrr"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        hits = lists.hits[:, :k]
        return np.where(hits.any(1), 1 / (hits.argmax(1) + 1), 0.0)


class MAP(UserMetric):
    """The sum of the precisions at each hit / min(K, relevant)."""

    name = "map"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        hits = lists.hits[:, :k]
        precisions = hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)
        # cumsum adds from left to right; sum would add in pairs.
        total = np.where(hits, precisions, 0.0).cumsum(1)[:, -1]
        values: Values = total / np.clip(lists.n_relevant, 1, k)
        return values


class AUC(UserMetric):
    """The share of (hit, miss) pairs of the first K whose hit is placed higher.

    RePlay's RocAuc, of the list and not of the whole catalogue: 1 if it has no miss, 0 if it has no
    hit.
    """

    name = "auc"

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        hits = lists.hits[:, :k]
        misses = (lists.items[:, :k] >= 0).numpy() & ~hits
        misses_above = np.where(hits, misses.cumsum(1), 0).sum(1)
        n_hits, n_misses = hits.sum(1), misses.sum(1)
        values = 1 - misses_above / np.maximum(n_hits * n_misses, 1)
        return np.where(n_hits > 0, values, 0.0)
