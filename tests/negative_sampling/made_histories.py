"""Small train parts, written down as what each user has."""

import torch

from twotower.types import TrainInteractions

CPU = torch.device("cpu")


def make_train(histories: list[set[int]], n_items: int) -> TrainInteractions:
    """User u has the items of histories[u]."""
    pairs = [(user, item) for user, history in enumerate(histories) for item in sorted(history)]
    users, items = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    return TrainInteractions(users, items, len(histories), n_items)
