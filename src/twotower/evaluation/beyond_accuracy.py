"""Metrics of the recommended items, whether relevant or not."""

import numpy as np
import torch

from twotower.evaluation.lists import JudgedLists, Values

__all__ = ["coverage", "novelty", "surprisal"]


def novelty(lists: JudgedLists, k: int) -> Values:
    """Return the share of the first K outside the user's train history; 1 for an empty list."""
    length = np.minimum(lists.n_recommended, k)
    values: Values = 1.0 - lists.in_history[:, :k].sum(1) / np.maximum(length, 1)
    return values


def surprisal(lists: JudgedLists, k: int) -> Values:
    """Return the mean over K places of log2(users / users of the item) / log2(users)."""
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


def coverage(lists: JudgedLists, k: int) -> float:
    """Return the share of train items that are among the first K of some user."""
    trained = lists.fold.train.item_counts > 0
    items = lists.items[:, :k]
    recommended = torch.zeros_like(trained)
    recommended[items[(items >= 0) & (items < len(trained))]] = True
    return int((recommended & trained).sum()) / int(trained.sum())
