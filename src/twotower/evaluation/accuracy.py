"""Metrics of whether the relevant items are among the first K, and how high."""

import math
from itertools import compress

import numpy as np

from twotower.evaluation.lists import JudgedLists, Values

__all__ = ["average_precision", "hitrate", "mrr", "ndcg", "precision", "recall"]


def ndcg(lists: JudgedLists, k: int) -> Values:
    """Return NDCG: binary relevance, discount log2(place + 1), ideal of min(K, relevant) hits."""
    discounts = [1 / math.log2(place + 2) for place in range(k)]
    ideals = np.array([sum(discounts[: max(n, 1)]) for n in range(k + 1)])
    # Few patterns of hits differ. Python's own sum, as in RePlay, compensates from 3.12 on.
    packed = np.packbits(lists.hits[:, :k], axis=1)
    _, first, which = np.unique(
        packed.view(f"V{packed.shape[1]}").ravel(), return_index=True, return_inverse=True
    )
    patterns = lists.hits[first, :k].tolist()
    gains = np.array([sum(compress(discounts, pattern)) for pattern in patterns], dtype=np.float64)
    ideal = ideals[np.minimum(lists.n_relevant, k)]
    values: Values = gains[which] / ideal
    return values


def hitrate(lists: JudgedLists, k: int) -> Values:
    """Return 1 for each list with a relevant item among the first K, else 0."""
    values: Values = (lists.hits[:, :k].sum(1) > 0).astype(np.float64)
    return values


def recall(lists: JudgedLists, k: int) -> Values:
    """Return hits among the first K / all relevant items."""
    values: Values = lists.hits[:, :k].sum(1) / np.maximum(lists.n_relevant, 1)
    return values


def precision(lists: JudgedLists, k: int) -> Values:
    """Return hits among the first K / K, also for shorter lists."""
    values: Values = lists.hits[:, :k].sum(1) / k
    return values


def mrr(lists: JudgedLists, k: int) -> Values:
    """Return 1 / place of the first hit among the first K; 0 without a hit."""
    hits = lists.hits[:, :k]
    return np.where(hits.any(1), 1 / (hits.argmax(1) + 1), 0.0)


def average_precision(lists: JudgedLists, k: int) -> Values:
    """Return the sum of the precisions at each hit / min(K, relevant)."""
    hits = lists.hits[:, :k]
    precisions = hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)
    # cumsum adds from left to right; sum would add in pairs.
    total = np.where(hits, precisions, 0.0).cumsum(1)[:, -1]
    values: Values = total / np.clip(lists.n_relevant, 1, k)
    return values
