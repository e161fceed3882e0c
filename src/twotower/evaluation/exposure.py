"""Metrics of the recommended items of all lists together: how many, and how evenly."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from twotower.evaluation.lists import JudgedLists
from twotower.evaluation.metric import CatalogueMetric

__all__ = ["Coverage", "Entropy", "Gini"]


class Coverage(CatalogueMetric):
    """The share of train items that are among the first K of some user."""

    name = "coverage"

    def of_lists(self, lists: JudgedLists, k: int) -> float:
        """See CatalogueMetric."""
        trained = lists.fold.train.item_counts > 0
        items = lists.items[:, :k]
        recommended = torch.zeros_like(trained)
        recommended[items[(items >= 0) & (items < len(trained))]] = True
        return int((recommended & trained).sum()) / int(trained.sum())


class Gini(CatalogueMetric):
    """How unevenly recommendations fall on items: 0 if on all alike, almost 1 if on one alone.

    sum_i (2 i - n - 1) c_i / (n sum_i c_i) over the n items that can be recommended in ascending
    order of c_i, the number of lists that the item is in, as in RecBole's GiniIndex.
    """

    name = "gini"
    higher_is_better = False

    def of_lists(self, lists: JudgedLists, k: int) -> float:
        """See CatalogueMetric."""
        counts = np.sort(_exposure(lists, k))
        n, total = len(counts), counts.sum()
        if not total:
            return 0.0
        return float((2 * np.arange(1, n + 1) - n - 1) @ counts / (n * total))


class Entropy(CatalogueMetric):
    """Shannon's entropy of the item of a recommendation, in bits.

    0 if one item has all of them, log2(n) if n items have equally many. 2 ** entropy is the number
    of items that an even distribution of the same entropy would have.
    """

    name = "entropy"

    def of_lists(self, lists: JudgedLists, k: int) -> float:
        """See CatalogueMetric."""
        counts = _exposure(lists, k)
        if not counts.sum():
            return 0.0
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log2(shares)).sum()) + 0.0  # no -0.0


def _exposure(lists: JudgedLists, k: int) -> NDArray[np.int64]:
    """Return how many lists each item of the fold is in, cold ones included: [n_items]."""
    items = lists.items[:, :k]
    return torch.bincount(items[items >= 0], minlength=lists.fold.items.n).numpy()
