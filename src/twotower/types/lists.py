"""Rows that own any number of items each, in compressed sparse rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

__all__ = ["Histories", "ItemLists", "Past"]


@dataclass(frozen=True)
class _Ragged:
    """offsets: [n_rows + 1] int64, row r owns items[offsets[r]:offsets[r + 1]].

    items: [n] int64.
    """

    offsets: Tensor
    items: Tensor

    @property
    def n_rows(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """[n_rows] int64."""
        return self.offsets.diff()

    @property
    def rows(self) -> Tensor:
        """[n] int64: the row that each of `items` belongs to."""
        return torch.repeat_interleave(torch.arange(self.n_rows), self.lengths)

    def select(self, rows: Tensor) -> Self:
        """What `rows` ([m] int64) own, in that order."""
        lengths = self.lengths[rows]
        offsets = _offsets(lengths)
        within = torch.arange(int(offsets[-1])) - torch.repeat_interleave(offsets[:-1], lengths)
        starts = torch.repeat_interleave(self.offsets[rows], lengths)
        return replace(self, offsets=offsets, items=self.items[starts + within])


def _offsets(lengths: Tensor) -> Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])


@dataclass(frozen=True)
class ItemLists(_Ragged):
    """One list of items a row; each list ascending, without repeats."""

    @classmethod
    def from_pairs(cls, rows: Tensor, items: Tensor, n_rows: int) -> ItemLists:
        """Group pairs ([n] rows, [n] items, int64) by row; repeated pairs count once."""
        stride = int(items.max()) + 1 if len(items) else 1
        keys = torch.unique(rows * stride + items)  # ascending: by row, then by item
        return cls(_offsets(torch.bincount(keys // stride, minlength=n_rows)), keys % stride)


@dataclass(frozen=True)
class Past:
    """What B users had met, the newest in the last place; shorter ones begin later.

    items: [B, L] int64 row numbers of items that train holds, 0 where nothing stands.
    valid: [B, L] bool, whether something stands there.
    """

    items: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Histories(_Ragged):
    """What each user, a row, had met: oldest first, in random order where times are unknown.

    An item that was met again stands there again.
    """

    @classmethod
    def of(cls, users: Tensor, items: Tensor, n_users: int, timed: bool) -> Histories:
        """Of pairs ([n] users, [n] items); `timed`: they come in order of time."""
        if not timed:  # else the latest of a history would be those of the highest rows
            order = torch.randperm(len(users), generator=torch.Generator().manual_seed(0))
            users, items = users[order], items[order]
        counts = torch.bincount(users, minlength=n_users)
        return cls(_offsets(counts), items[torch.argsort(users, stable=True)])

    def below(self, n_items: int) -> Histories:
        """The same without items of row number `n_items` or more."""
        kept = self.items < n_items
        counts = torch.bincount(self.rows[kept], minlength=self.n_rows)
        return Histories(_offsets(counts), self.items[kept])

    def distinct(self) -> ItemLists:
        """[n_users] lists of the same items, ascending, each once."""
        return ItemLists.from_pairs(self.rows, self.items, self.n_rows)

    def to(self, device: torch.device) -> Histories:
        """The same on `device`."""
        return Histories(self.offsets.to(device), self.items.to(device))

    def latest(self, users: Tensor, length: int, before: Tensor | None = None) -> Past:
        """The newest `length` items of `users` [B]; `before` [B]: of each one's first so many."""
        starts = self.offsets[users]
        ends = self.offsets[users + 1] if before is None else starts + before
        places = ends[:, None] + torch.arange(-length, 0, device=users.device)
        valid = places >= starts[:, None]
        if not len(self.items):
            return Past(torch.zeros_like(places), valid)
        return Past(self.items[places.where(valid, 0)].where(valid, 0), valid)
