"""Rows that own any number of items each, in compressed sparse rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

__all__ = ["Histories", "ItemLists", "Past"]


@dataclass(frozen=True)
class _Ragged:
    """offsets: [n_rows + 1] int64, row r owns items[offsets[r]:offsets[r + 1]].

    items: [n] row numbers, int32 where they come from a fold.
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
        return torch.repeat_interleave(self.lengths)

    def to(self, device: torch.device) -> Self:
        """Return a copy on `device`."""
        return replace(self, offsets=self.offsets.to(device), items=self.items.to(device))

    def select(self, rows: Tensor) -> Self:
        """Return the lists of `rows` ([m] int64), in that order."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        offsets = _offsets(lengths)
        shifts = torch.repeat_interleave(starts - offsets[:-1], lengths)
        places = torch.arange(len(shifts), device=shifts.device) + shifts
        return replace(self, offsets=offsets, items=self.items[places])


def _offsets(lengths: Tensor) -> Tensor:
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])


def _distinct(keys: Tensor) -> Tensor:
    """Return `keys` ascending, each once; they are sorted in place."""
    keys.numpy().sort()  # vectorized, and without the index that torch.sort returns
    new = torch.ones(len(keys), dtype=torch.bool)
    torch.ne(keys[1:], keys[:-1], out=new[1:])
    return keys if new.all() else keys[new]


@dataclass(frozen=True)
class ItemLists(_Ragged):
    """One list of items per row, each ascending and without repeats."""

    @classmethod
    def from_pairs(cls, rows: Tensor, items: Tensor, n_rows: int) -> ItemLists:
        """Group pairs ([n] rows, [n] items) by row; repeated pairs count once."""
        stride = int(items.max()) + 1 if len(items) else 1
        keys = rows.long() * stride
        keys += items
        keys = _distinct(keys)  # ascending: by row, then by item
        counts = torch.bincount(keys // stride, minlength=n_rows)
        keys %= stride
        return cls(_offsets(counts), keys.to(items.dtype))

    def contains(self, rows: Tensor, items: Tensor) -> Tensor:
        """Return whether each item is in the list of its row, by one binary search each.

        Args:
            rows: [B] int64.
            items: [B, M] int64; -1, which marks an empty place, is in no list.

        Returns:
            [B, M] bool.
        """
        stride, keys = self._keys
        # One column more at either end, for -1 and for items that no list has.
        wanted = rows[:, None] * stride + items.clamp(-1, stride - 2) + 1
        if not len(keys):
            return torch.zeros_like(wanted, dtype=torch.bool)
        places = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
        return keys[places] == wanted

    @cached_property
    def _keys(self) -> tuple[int, Tensor]:
        """A stride, and row * stride + item + 1 of each entry, [n] int64 ascending."""
        stride = int(self.items.max()) + 3 if len(self.items) else 2
        return stride, self.rows * stride + self.items + 1


@dataclass(frozen=True)
class Past:
    """The latest items of B users, padded on the left: the newest item is in the last column.

    items: [B, L] int64 row numbers of train items, 0 where padded.
    valid: [B, L] bool, False where padded.
    """

    items: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Histories(_Ragged):
    """The history of each user (row), oldest first, or in random order if times are unknown.

    Repeated interactions with an item are repeated entries.
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
        """Return the lists without items of row number `n_items` or more."""
        kept = self.items < n_items
        if kept.all():
            return self
        counts = torch.bincount(self.rows[kept], minlength=self.n_rows)
        return Histories(_offsets(counts), self.items[kept])

    def distinct(self) -> ItemLists:
        """Return [n_users] lists of the same items, ascending, each once."""
        return ItemLists.from_pairs(self.rows, self.items, self.n_rows)

    def latest(self, users: Tensor, length: int, before: Tensor | None = None) -> Past:
        """Return the newest `length` items of `users` [B], among the first `before` [B] of each."""
        starts = self.offsets[users]
        ends = self.offsets[users + 1] if before is None else starts + before
        places = ends[:, None] + torch.arange(-length, 0, device=users.device)
        valid = places >= starts[:, None]
        if not len(self.items):
            return Past(torch.zeros_like(places), valid)
        return Past(self.items[places.where(valid, 0)].where(valid, 0).long(), valid)
