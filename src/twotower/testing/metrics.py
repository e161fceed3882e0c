"""The contract of a metric."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import torch

from twotower.evaluation.lists import JudgedLists
from twotower.evaluation.metric import Metric, UserMetric
from twotower.testing.expect import expect
from twotower.types import (
    Fold,
    Holdout,
    ItemLists,
    Recommendations,
    TrainInteractions,
    Vocabulary,
)

__all__ = ["check_metric", "judged_lists"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LENGTH = 5
# The relevant items of 4 users: of train, of train, of train with a cold item (8), and a cold one.
_RELEVANT = {0: [3, 4], 1: [5], 2: [6, 8], 4: [1]}
_LISTS = [[3, 5, 2, 4, 6], [1, 5, 6, -1, -1], [0, 1, 2, 3, 4], [-1, -1, -1, -1, -1]]


def check_metric(metric: Metric) -> None:
    """Check a metric, on lists of full length, a shorter and an empty one.

    Raises:
        AssertionError: The metric breaks the contract `UserMetric` or `CatalogueMetric`.

    >>> from twotower.evaluation.accuracy import Recall
    >>> check_metric(Recall())
    """
    name = metric.name
    expect(_NAME.fullmatch(name), f"name: got {name!r}; must be lower case letters, digits and _")
    for k in range(1, _LENGTH + 1):
        one, same = (_values(metric, _LISTS, k) for _ in range(2))
        expect(np.array_equal(one, same, equal_nan=True), f"at {k}: must be the same each time")
        expect(not np.isinf(one).any(), f"at {k}: must be finite, or NaN for no value")
        cut = [[*items[:k], *[-1] * (_LENGTH - k)] for items in _LISTS]
        same_head = np.array_equal(one, _values(metric, cut, k), equal_nan=True)
        expect(same_head, f"at {k}: depends on items after the first {k} of the lists")


def judged_lists(items: list[list[int]]) -> JudgedLists:
    """Return lists of 4 users, of which the last is cold, over 8 items of train."""
    users = torch.tensor([0, 0, 1, 2, 2, 3, 3])
    train = TrainInteractions(users, torch.tensor([0, 1, 2, 5, 7, 3, 4]), n_users=4, n_items=8)
    relevant = ItemLists.from_pairs(
        torch.tensor([row for row, each in enumerate(_RELEVANT.values()) for _ in each]),
        torch.tensor([item for each in _RELEVANT.values() for item in each]),
        len(_RELEVANT),
    )
    judged = torch.tensor(list(_RELEVANT))
    nothing = ItemLists.from_pairs(judged[:0], judged[:0], len(_RELEVANT))
    fold = Fold(
        Vocabulary(pl.Series(range(5)), pl.Series(range(9))),
        train,
        Holdout(judged, relevant, nothing),
        train.histories,
    )
    tensor = torch.tensor(items)
    ranks = torch.arange(tensor.shape[1], dtype=torch.float32)
    return JudgedLists.of(Recommendations(judged, tensor, (-ranks).expand(tensor.shape)), fold)


def _values(metric: Metric, items: list[list[int]], k: int) -> np.ndarray:
    lists = judged_lists(items)
    if isinstance(metric, UserMetric):
        values = metric.per_user(lists, k)
        right = values.shape == (len(items),) and values.dtype == np.float64
        expect(right, f"per_user: must return [U] float64, got {values.shape} {values.dtype}")
        return values
    return np.array([float(metric.of_lists(lists, k))])
