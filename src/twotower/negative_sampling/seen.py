"""Which items of a shared pool may count against which row."""

import torch
from torch import Tensor

from twotower.types import TrainInteractions

__all__ = ["PoolValidity"]


class PoolValidity:
    """Which places of a pool count against whom: neither the row's positive nor, with
    `exclude_seen`, what its user has seen.

    Histories are looked up in the pool, not the pool in each history: that costs B x N bytes and
    the length of the histories, for large pools a fraction of B x N binary searches.
    """

    def __init__(self, train: TrainInteractions, device: torch.device, exclude_seen: bool) -> None:
        self._n_items = train.n_items
        self._seen = train.items_by_user.to(device) if exclude_seen else None

    def __call__(self, users: Tensor, positives: Tensor, pool: Tensor) -> Tensor:
        """[B, N] bool for `users` and `positives` [B] and one `pool` [N] that they share."""
        n, device = len(pool), pool.device
        rows, items = torch.arange(len(users), device=device), positives
        if self._seen is not None:
            seen = self._seen.select(users)
            rows, items = torch.cat([rows, seen.rows]), torch.cat([items, seen.items])
        # An item that is in the pool twice has one of its places here, whichever it may be.
        place = torch.full((self._n_items,), n, device=device)
        place[pool] = torch.arange(n, device=device)
        valid = torch.ones(len(users), n + 1, dtype=torch.bool, device=device)
        valid[rows, place[items]] = False  # place n: not in the pool
        return valid.gather(1, place[pool].expand(len(users), -1))
