"""Which items of a shared pool may count against which row."""

import torch
from torch import Tensor

from twotower.types import TrainInteractions

__all__ = ["PoolValidity"]


class PoolValidity:
    """Decides which items of a pool count against which row.

    Neither the row's positive nor, with `exclude_seen`, the items its user has seen do. Histories
    are looked up in the pool, not the pool in each history: that takes B x N bytes and time in the
    length of the histories, for large pools a fraction of B x N binary searches.
    """

    def __init__(self, train: TrainInteractions, device: torch.device, exclude_seen: bool) -> None:
        self._n_items = train.n_items
        self._seen = train.items_by_user.to(device) if exclude_seen else None

    def __call__(self, users: Tensor, positives: Tensor, pool: Tensor) -> Tensor:
        """Return [B, N] bool.

        Args:
            users: [B] int64.
            positives: [B] int64.
            pool: [N] int64, shared by all rows.
        """
        n, device = len(pool), pool.device
        rows, items = torch.arange(len(users), device=device), positives
        if self._seen is not None:
            seen = self._seen.select(users)
            rows, items = torch.cat([rows, seen.rows]), torch.cat([items, seen.items])
        # An item that occurs twice in the pool has an arbitrary one of its places here.
        place = torch.full((self._n_items,), n, device=device)
        place[pool] = torch.arange(n, device=device)
        valid = torch.ones(len(users), n + 1, dtype=torch.bool, device=device)
        valid[rows, place[items]] = False  # place n: not in the pool
        return valid.gather(1, place[pool].expand(len(users), -1))
