"""Which items a user has in its train history, asked for whole batches."""

from functools import cached_property

import torch
from torch import Tensor

from twotower.types import TrainInteractions

__all__ = ["PoolValidity", "SeenItems"]


class SeenItems:
    """The train histories on one device."""

    def __init__(self, train: TrainInteractions, device: torch.device) -> None:
        self._n_items = train.n_items
        seen = train.items_by_user
        self._items = seen.items.to(device)
        self._offsets = seen.offsets.to(device)

    @cached_property
    def _keys(self) -> Tensor:
        """[n] int64, ascending: by user, then by item."""
        users = torch.arange(len(self._offsets) - 1, device=self._items.device)
        users = torch.repeat_interleave(users, self._offsets.diff())
        return users * self._n_items + self._items

    def contains(self, users: Tensor, items: Tensor) -> Tensor:
        """[B, M] bool for `users` [B] and `items` [B, M]: one binary search each."""
        keys = users[:, None] * self._n_items + items
        if not len(self._keys):
            return torch.zeros_like(keys, dtype=torch.bool)
        place = torch.searchsorted(self._keys, keys).clamp_(max=len(self._keys) - 1)
        return self._keys[place] == keys

    def of(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """[S] int64 rows and [S] items of the histories of `users` [B], all together."""
        starts, lengths = self._offsets[users], self._offsets[users + 1] - self._offsets[users]
        rows = torch.repeat_interleave(lengths)
        shifts = starts - (lengths.cumsum(0) - lengths)  # [B], from place in S to place in _items
        return rows, self._items[torch.arange(len(rows), device=users.device) + shifts[rows]]


class PoolValidity:
    """Which places of a pool count against whom: neither the row's positive nor, with
    `exclude_seen`, what its user has seen.

    Histories are looked up in the pool, not the pool in each history: that costs B x N bytes and
    the length of the histories, for large pools a fraction of B x N binary searches.
    """

    def __init__(self, train: TrainInteractions, device: torch.device, exclude_seen: bool) -> None:
        self._n_items = train.n_items
        self._seen = SeenItems(train, device) if exclude_seen else None

    def __call__(self, users: Tensor, positives: Tensor, pool: Tensor) -> Tensor:
        """[B, N] bool for `users` and `positives` [B] and one `pool` [N] that they share."""
        n, device = len(pool), pool.device
        rows, items = torch.arange(len(users), device=device), positives
        if self._seen is not None:
            seen_rows, seen_items = self._seen.of(users)
            rows, items = torch.cat([rows, seen_rows]), torch.cat([items, seen_items])
        # An item that is in the pool twice has one of its places here, whichever it may be.
        place = torch.full((self._n_items,), n, device=device)
        place[pool] = torch.arange(n, device=device)
        valid = torch.ones(len(users), n + 1, dtype=torch.bool, device=device)
        valid[rows, place[items]] = False  # place n: not in the pool
        return valid.gather(1, place[pool].expand(len(users), -1))
