"""Which items of a shared pool may count against which row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.compiled import compiled
from twotower.types import Negatives, TrainInteractions

__all__ = ["PoolMask", "PoolNegatives", "PoolValidity", "SideBySide"]

Array = NDArray[Any]


class PoolMask(Protocol):
    """Which places of a pool are not valid for which row of a batch."""

    def valid(self) -> Tensor:
        """Return [B, N] bool, False for places that are not valid."""
        ...

    def mask_(self, scores: Tensor, counts: Tensor, first: int) -> None:
        """Overwrite the scores of places that are not valid by -inf, on the CPU.

        Args:
            scores: [B, M] float32, of which the pool is columns `first` and the next.
            counts: [B] int64, reduced by the number of places masked in each row.
            first: Column of the pool's first item.
        """
        ...


class PoolNegatives(Negatives):
    """Negatives of one pool; `valid` is computed when it is asked for."""

    def __init__(self, items: Tensor, log_expected_count: Tensor, mask: PoolMask) -> None:
        """Take `items` and `log_expected_count`, both [N], and what masks them."""
        for name, value in (
            ("items", items),
            ("log_expected_count", log_expected_count),
            ("hardest", None),
            ("mask", mask),
        ):
            object.__setattr__(self, name, value)

    mask: PoolMask

    @cached_property
    def valid(self) -> Tensor:
        """[B, N] bool; see Negatives."""
        return self.mask.valid()


class PoolValidity:
    """Decides which items of a pool count against which row.

    Neither the row's positive nor, with `exclude_seen`, the items its user has seen do. Histories
    are looked up in the pool, not the pool in each history: that takes B x N bytes and time in the
    length of the histories, for large pools a fraction of B x N binary searches.
    """

    def __init__(self, train: TrainInteractions, device: torch.device, exclude_seen: bool) -> None:
        self._n_items = train.n_items
        self._seen = train.items_by_user.to(device) if exclude_seen else None
        self._n_users = train.n_users
        self._place = np.zeros(0, np.int32)

    def __call__(self, users: Tensor, positives: Tensor, pool: Tensor) -> PoolMask:
        """Return the mask of a batch.

        Args:
            users: [B] int64.
            positives: [B] int64.
            pool: [N] int64, shared by all rows.
        """
        return _HistoriesInPool(self, users, positives, pool)

    def valid(self, users: Tensor, positives: Tensor, pool: Tensor) -> Tensor:
        """Return [B, N] bool."""
        if pool.device.type != "cpu":
            return self.searched(users, positives, pool)
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

    def searched(self, users: Tensor, positives: Tensor, pool: Tensor) -> Tensor:
        """Return the same by searching each history for the pool.

        A GPU would wait while the host reads how long the histories of a batch are together.
        """
        valid = pool != positives[:, None]
        if self._seen is None:
            return valid
        return valid & ~self._seen.contains(users, pool.expand(len(users), -1))

    def mask_(
        self, users: Tensor, positives: Tensor, pool: Tensor, scores: Tensor, counts: Tensor
    ) -> None:
        """Overwrite the scores of places that are not valid; see PoolMask."""
        if not len(self._place):
            self._place = np.zeros(self._n_items, np.int32)
        offsets, items = self._lists
        batch = (offsets, items, users, positives, pool, scores, counts)
        _mask(self._place, *(each.numpy() for each in batch))

    @cached_property
    def _lists(self) -> tuple[Tensor, Tensor]:
        """Offsets and items of the histories that are looked up."""
        if self._seen is None:
            return torch.zeros(self._n_users + 1, dtype=torch.int64), torch.empty(0).long()
        return self._seen.offsets, self._seen.items


@dataclass(frozen=True)
class _HistoriesInPool:
    """A PoolMask of PoolValidity."""

    validity: PoolValidity
    users: Tensor
    positives: Tensor
    pool: Tensor

    def valid(self) -> Tensor:
        """See PoolMask."""
        return self.validity.valid(self.users, self.positives, self.pool)

    def mask_(self, scores: Tensor, counts: Tensor, first: int) -> None:
        """See PoolMask."""
        columns = scores[:, first : first + len(self.pool)]
        self.validity.mask_(self.users, self.positives, self.pool, columns, counts)


@dataclass(frozen=True)
class SideBySide:
    """The PoolMask of pools that make up one pool, with the number of items of each."""

    parts: tuple[tuple[PoolMask, int], ...]

    def valid(self) -> Tensor:
        """See PoolMask."""
        return torch.cat([mask.valid() for mask, _ in self.parts], dim=1)

    def mask_(self, scores: Tensor, counts: Tensor, first: int) -> None:
        """See PoolMask."""
        for mask, size in self.parts:
            mask.mask_(scores, counts, first)
            first += size


@compiled
def _mask(
    place: Array,
    offsets: Array,
    seen: Array,
    users: Array,
    positives: Array,
    pool: Array,
    scores: Array,
    counts: Array,
) -> None:
    """Mask a batch; `place` [n_items], 0 before and after, holds 1 + the place of each item."""
    before = np.zeros(len(pool), np.int32)  # 1 + the place of the same item before each place
    for n in range(len(pool)):
        before[n] = place[pool[n]]
        place[pool[n]] = n + 1
    for b in range(len(users)):
        start, end = offsets[users[b]], offsets[users[b] + 1]
        for k in range(start - 1, end):
            p = place[positives[b] if k < start else seen[k]]
            while p > 0:
                if scores[b, p - 1] != -np.inf:
                    scores[b, p - 1] = -np.inf
                    counts[b] -= 1
                p = before[p - 1]
    for n in range(len(pool)):
        place[pool[n]] = 0
