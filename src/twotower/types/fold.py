"""A fold as tensors of row numbers: the training data and the holdout."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import polars as pl
import torch
from torch import Tensor

from twotower.types.lists import Histories, ItemLists
from twotower.types.positives import PositiveDistribution

__all__ = ["Fold", "Holdout", "Side", "TrainInteractions", "Vocabulary"]


@dataclass(frozen=True)
class Vocabulary:
    """Row number <-> original id.

    users, items: row r of the user (item) table belongs to the id `users[r]` (`items[r]`): first
        the ids of the train part of a fold, then, if they are evaluated, cold ones.
    """

    users: pl.Series
    items: pl.Series


@dataclass(frozen=True)
class Side:
    """All users, or all items, of a fold in the order of their rows, as a tower may know them.

    kind: which of the two.
    n: how many rows there are, those of train first.
    n_train: how many train holds. What is learned of features (vocabularies, means) is learned of
        these alone; later rows are cold, known by their features or histories.
    features: [n] rows, one column a feature, null where unknown; None: the source has none.
    """

    kind: Literal["user", "item"]
    n: int
    n_train: int
    features: pl.DataFrame | None


@dataclass(frozen=True)
class TrainInteractions:
    """The train part of a fold: the one thing that samplers, counts and models are fitted on.

    users, items: [n] row numbers, one entry an interaction, in order of time where known; int32
        in a fold, which spares half of their memory.
    timestamps: [n] int64, microseconds since 1970 (UTC), of the same entries; None: not known.
    dated: False where the timestamps only order the entries and are no moments.
    positives: how an epoch of training draws its positives from them.
    turns: [n] int32, the place of each entry in the order of time, ties broken; None: that in
        which the entries come, if timestamps are known.
    turns_known: True where `turns` order the entries of one timestamp as they came; False where
        nobody knows, so that they are not before each other.
    weights: [n] float32, the weight of each entry in the training loss, 1 on average; None: all 1.
    """

    users: Tensor
    items: Tensor
    n_users: int
    n_items: int
    timestamps: Tensor | None = None
    dated: bool = True
    positives: PositiveDistribution = field(default_factory=PositiveDistribution)
    turns: Tensor | None = None
    turns_known: bool = False
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.users)

    @property
    def moments(self) -> Tensor | None:
        """`timestamps` where they are moments in time."""
        return self.timestamps if self.dated else None

    @cached_property
    def items_by_user(self) -> ItemLists:
        """[n_users] lists: every user's train history."""
        return ItemLists.from_pairs(self.users, self.items, self.n_users)

    @cached_property
    def item_counts(self) -> Tensor:
        """[n_items] int64: how many interactions each item has."""
        return torch.bincount(self.items, minlength=self.n_items)

    @cached_property
    def positive_shares(self) -> Tensor:
        """[n_items] float64: how often one other row's positive is expected to be each item.

        See PositiveDistribution.item_shares.
        """
        return self.positives.item_shares(self.items, self.n_items)

    @cached_property
    def histories(self) -> Histories:
        """[n_users] histories."""
        return Histories.of(*self.in_time(), self.n_users, self.timestamps is not None)

    def in_time(self) -> tuple[Tensor, Tensor]:
        """Return `users` and `items`, oldest first."""
        if self.turns is None:
            return self.users, self.items
        order = self.time_order
        return self.users[order], self.items[order]

    @property
    def time_order(self) -> Tensor:
        """[n] int32 or int64: the entries, oldest first."""
        places = torch.arange(len(self), dtype=torch.int32 if len(self) < 2**31 else torch.int64)
        if self.turns is None:
            return places
        order = torch.empty_like(places)
        order[self.turns.long()] = places
        return order

    @cached_property
    def before(self) -> Tensor | None:
        """[n] int64: how many of its user's interactions were earlier than each; None: not known.

        Those of one moment are not before each other.
        """
        moments = self.turns if self.turns_known else self.timestamps
        if moments is None:
            return None
        order = self.time_order
        order = order[torch.argsort(self.users[order], stable=True)]  # by user, then by time
        users, times = self.users[order], moments[order]
        first = torch.ones(len(self), dtype=torch.bool)  # of the user's interactions of a moment
        first[1:] = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
        places = torch.arange(len(self))
        firsts = places.where(first, 0).cummax(0).values
        before = torch.empty_like(places)
        before[order] = firsts - self.histories.offsets[users]
        return before


@dataclass(frozen=True)
class Holdout:
    """The ground truth: the relevant items of each user.

    users: [U] int64, ascending. A row number of n_users or more is a *cold* user, one that the
        train part does not hold. A model that cannot serve it gives no list, which scores 0.
    relevant: [U] lists, row r for users[r]. A row number of n_items or more is a cold item, which
        only a model that knows items by their features can recommend.
    seen: [U] lists of what users[r] had interacted with before; dropped from its ranking.
    sampled_from: the number of users that `users` are a sample of; None: they are all.
    """

    users: Tensor
    relevant: ItemLists
    seen: ItemLists
    sampled_from: int | None = None

    @property
    def size(self) -> str:
        """The number of users in words: `95 users`, `4,694 of 30,000 users`."""
        of_all = f" of {self.sampled_from:,}" if self.sampled_from is not None else ""
        return f"{len(self.users):,}{of_all} users"


@dataclass(frozen=True)
class Fold:
    """A train part and the holdout to evaluate on; `vocabulary` maps the ids of both to rows.

    histories: [users of the vocabulary] what users had interacted with when they are judged, cold
        items of the vocabulary included.
    user_features, item_features: see Side.features.
    """

    vocabulary: Vocabulary
    train: TrainInteractions
    holdout: Holdout
    histories: Histories
    user_features: pl.DataFrame | None = None
    item_features: pl.DataFrame | None = None

    @cached_property
    def train_histories(self) -> Histories:
        """[users of the vocabulary] histories of items of train alone: what a model can read."""
        return self.histories.below(self.train.n_items)

    @property
    def users(self) -> Side:
        """The users that a model may know."""
        return Side("user", len(self.vocabulary.users), self.train.n_users, self.user_features)

    @property
    def items(self) -> Side:
        """The items that a model may know."""
        return Side("item", len(self.vocabulary.items), self.train.n_items, self.item_features)
