"""Lists of one ranking for all users, which is sorted once."""

from __future__ import annotations

import torch
from torch import Tensor

from twotower.evaluation.selection import best
from twotower.types import ItemLists

__all__ = ["lists_of_one"]

_ENTRIES = 4_000_000  # entries of the table of places that are looked at together


def lists_of_one(
    scores: Tensor, n_users: int, width: int, drop: ItemLists | None
) -> tuple[Tensor, Tensor]:
    """Return items [U, width], -1 where a list is shorter, and their scores [U, width].

    Args:
        scores: [n_items] float32 without -0.0, the same for all users, on the CPU.
        n_users: U.
        width: Length of the lists, at most n_items.
        drop: [U] lists of the items that are excluded; None: none.
    """
    order = best(scores[None], torch.arange(len(scores))[None], len(scores))[1][0]
    order = order[scores[order] > -torch.inf]
    items = torch.full((n_users, width), -1, dtype=torch.int64)
    if drop is None:
        items[:, : len(order)] = order[:width]
    else:
        place = torch.full((len(scores),), len(order), dtype=torch.int64)
        place[order] = torch.arange(len(order))
        # A list ends among the first `width` + dropped places.
        deepest = min(width + int(drop.lengths.max()), len(order))
        for users in torch.split(torch.arange(n_users), max(1, _ENTRIES // max(deepest, 1))):
            of_users = drop.select(users)
            dropped = of_users.items < len(scores)
            rows, places = of_users.rows[dropped], place[of_users.items[dropped]]
            kept = torch.ones(len(users), deepest, dtype=torch.bool)
            near = places < deepest
            kept[rows[near], places[near]] = False
            rank = kept.cumsum(1, dtype=torch.int32)
            rows, places = (kept & (rank <= width)).nonzero(as_tuple=True)
            items[users[rows], rank[rows, places].long() - 1] = order[places]
    found = torch.where(items >= 0, scores[items.clamp(min=0)], -torch.inf)
    return items, found
