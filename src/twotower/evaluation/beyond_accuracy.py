"""Metrics of what is recommended, whether relevant or not."""

import numpy as np
import torch

from twotower.evaluation.lists import JudgedLists, Values

__all__ = ["coverage", "novelty", "surprisal"]


def novelty(lists: JudgedLists, k: int) -> Values:
    """The part of the first K that is not in the user's train history; 1 for an empty list."""
    length = np.minimum(lists.n_recommended, k)
    values: Values = 1.0 - lists.in_history[:, :k].sum(1) / np.maximum(length, 1)
    return values


def surprisal(lists: JudgedLists, k: int) -> Values:
    """Mean over K places of log2(users / users of the item) / log2(users), in [0, 1]."""
    train = lists.fold.train
    item_users = np.bincount(train.items_by_user.items.numpy(), minlength=train.n_items)
    scale = max(float(np.log2(train.n_users)), 1.0)  # one user alone: nothing surprises
    weights = np.log2(train.n_users / np.maximum(item_users, 1)) / scale
    weights[item_users == 0] = 1.0
    weights = np.append(weights, 1.0)  # of cold items, which no user has met either
    items = np.minimum(lists.items[:, :k].numpy(), train.n_items)
    total = np.where(items >= 0, weights[items], 0.0).cumsum(1)[:, -1]  # from left to right
    values: Values = total / k
    return values


def coverage(lists: JudgedLists, k: int) -> float:
    """The part of the train items that stands in somebody's first K."""
    trained = lists.fold.train.item_counts > 0
    items = lists.items[:, :k]
    recommended = torch.zeros_like(trained)
    recommended[items[(items >= 0) & (items < len(trained))]] = True
    return int((recommended & trained).sum()) / int(trained.sum())
