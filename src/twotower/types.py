"""The few values that travel between the packages, all frozen.

Frames (Polars) come first: `Interactions` out of a dataset, `SplitFrames` out of a split. Then
tensors: a `Fold` holds what one training run may see (`TrainInteractions`) and what it is judged
by (`Holdout`). Ids are the source's own in frames and row numbers of a `Vocabulary` in tensors.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import polars as pl
import torch
from torch import Tensor

USER = "user_id"
ITEM = "item_id"
RATING = "rating"
TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Interactions:
    """What a dataset gives: an interaction log, and what is known of users and items.

    log: columns `user_id`, `item_id` (any type without nulls), and where the source has them
        `rating` (Float64) and `timestamp` (Datetime, microseconds).
    users, items: one row an id, key column `user_id` or `item_id`, feature columns after it
        (an item's `title` is used wherever people read); None where the source has none.
    test: the test part of a log that comes split already, with the columns of `log`; else None.
    origin: where the data came from, in words for the terminal.
    digest: hex digest of the content, the same for the same data wherever it came from.
    """

    log: pl.DataFrame
    users: pl.DataFrame | None
    items: pl.DataFrame | None
    test: pl.DataFrame | None
    origin: str
    digest: str


@dataclass(frozen=True)
class SplitFrames:
    """A log after filters and split; `validation` is None where none is cut.

    train: interactions with the columns of `Interactions.log`.
    validation, test: ground truth alone, each (user, item) pair once.
    validation_known, test_known: what a model is told of the users of that part when it is judged,
        neither train nor ground truth, in order of time where known; None: nothing.
    history: the whole log before the test part, in order of time: train and all of validation,
        also what of it is told, not relevant or cold to train. A model that is trained anew for the
        test is trained on it, and it is what users of the test part have seen. Without
        validation: train.
    users, items: features of the ids that occur in any part; None where the source has none.
    digest: hex digest of the content of the parts, the identity of the split.
    """

    train: pl.DataFrame
    validation: pl.DataFrame | None
    validation_known: pl.DataFrame | None
    test: pl.DataFrame
    test_known: pl.DataFrame | None
    history: pl.DataFrame
    users: pl.DataFrame | None
    items: pl.DataFrame | None
    digest: str


@dataclass(frozen=True)
class ItemLists:
    """One list of items a row, in compressed sparse rows; each list ascending, without repeats.

    offsets: [n_rows + 1] int64, row r owns items[offsets[r]:offsets[r + 1]].
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

    @classmethod
    def from_pairs(cls, rows: Tensor, items: Tensor, n_rows: int) -> ItemLists:
        """Group pairs ([n] rows, [n] items, int64) by row; repeated pairs count once."""
        stride = int(items.max()) + 1 if len(items) else 1
        keys = torch.unique(rows * stride + items)  # ascending: by row, then by item
        counts = torch.bincount(keys // stride, minlength=n_rows)
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
        return cls(offsets, keys % stride)

    def select(self, rows: Tensor) -> ItemLists:
        """The lists of `rows` ([m] int64), in that order."""
        lengths = self.lengths[rows]
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        within = torch.arange(int(offsets[-1])) - torch.repeat_interleave(offsets[:-1], lengths)
        starts = torch.repeat_interleave(self.offsets[rows], lengths)
        return ItemLists(offsets, self.items[starts + within])


@dataclass(frozen=True)
class Vocabulary:
    """Row number <-> original id.

    users, items: row r of the user (item) table stands for the id `users[r]` (`items[r]`): first
        those of the train part of a fold, then, where they are judged, cold ones.
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
class Past:
    """What B users had met, the newest in the last place; shorter ones begin later.

    items: [B, L] int64 row numbers of items that train holds, 0 where nothing stands.
    valid: [B, L] bool, whether something stands there.
    """

    items: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Histories:
    """What each user had met, oldest first, repeats kept; in random order where times are unknown.

    offsets: [n_users + 1] int64, row r owns items[offsets[r]:offsets[r + 1]].
    items: [n] int64.
    """

    offsets: Tensor
    items: Tensor

    @classmethod
    def of(cls, users: Tensor, items: Tensor, n_users: int, timed: bool) -> Histories:
        """Of pairs ([n] users, [n] items); `timed`: they come in order of time."""
        counts = torch.bincount(users, minlength=n_users)
        if not timed:  # else the latest of a history would be those of the highest rows
            order = torch.randperm(len(users), generator=torch.Generator().manual_seed(0))
            users, items = users[order], items[order]
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
        return cls(offsets, items[torch.argsort(users, stable=True)])

    @property
    def users(self) -> Tensor:
        """[n] int64: the user that each of `items` belongs to."""
        n_users = len(self.offsets) - 1
        return torch.repeat_interleave(torch.arange(n_users), self.offsets.diff())

    def distinct(self) -> ItemLists:
        """[n_users] lists of the same items, ascending, each once."""
        return ItemLists.from_pairs(self.users, self.items, len(self.offsets) - 1)

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


@dataclass(frozen=True)
class TrainInteractions:
    """The train part of a fold: the one thing that samplers, counts and models are fitted on.

    users, items: [n] int64 row numbers, one entry an interaction, in order of time where known.
    timestamps: [n] int64, microseconds since 1970 (UTC), of the same entries; None: not known.
    """

    users: Tensor
    items: Tensor
    n_users: int
    n_items: int
    timestamps: Tensor | None = None

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def items_by_user(self) -> ItemLists:
        """[n_users] lists: every user's train history."""
        return ItemLists.from_pairs(self.users, self.items, self.n_users)

    @cached_property
    def item_counts(self) -> Tensor:
        """[n_items] int64: how many interactions each item has."""
        return torch.bincount(self.items, minlength=self.n_items)

    @cached_property
    def histories(self) -> Histories:
        """[n_users] histories."""
        return Histories.of(self.users, self.items, self.n_users, self.timestamps is not None)

    @cached_property
    def before(self) -> Tensor | None:
        """[n] int64: how many of its user's interactions were earlier than each; None: not known.

        Those of one moment are not before each other.
        """
        if self.timestamps is None:
            return None
        order = torch.argsort(self.users, stable=True)  # by user, then by time
        users, times = self.users[order], self.timestamps[order]
        first = torch.ones(len(self), dtype=torch.bool)  # of the user's interactions of a moment
        first[1:] = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
        places = torch.arange(len(self))
        firsts = places.where(first, 0).cummax(0).values
        before = torch.empty_like(places)
        before[order] = firsts - self.histories.offsets[users]
        return before


@dataclass(frozen=True)
class Holdout:
    """What a model is judged by: for each user the items that it should have ranked first.

    users: [U] int64, ascending. A row number of n_users or more is a *cold* user, one that the
        train part does not hold. A model that cannot serve it gives no list, which scores 0.
    relevant: [U] lists, row r for users[r]. A row number of n_items or more is a cold item, which
        only a model that knows items by their features can recommend.
    seen: [U] lists of what users[r] had interacted with before; dropped from its ranking.
    """

    users: Tensor
    relevant: ItemLists
    seen: ItemLists


@dataclass(frozen=True)
class Fold:
    """Train on `train`, be judged on `holdout`; `vocabulary` translates the ids of both.

    histories: [users of the vocabulary] what users had met when they are judged.
    users_features, items_features: see Side.features.
    """

    vocabulary: Vocabulary
    train: TrainInteractions
    holdout: Holdout
    histories: Histories
    user_features: pl.DataFrame | None = None
    item_features: pl.DataFrame | None = None

    @property
    def users(self) -> Side:
        """The users that a model may know."""
        return Side("user", len(self.vocabulary.users), self.train.n_users, self.user_features)

    @property
    def items(self) -> Side:
        """The items that a model may know."""
        return Side("item", len(self.vocabulary.items), self.train.n_items, self.item_features)


EVERYBODY = sys.maxsize  # the `n_users` of a scorer that needs to know nothing of a user


class Scorer(Protocol):
    """Anything that can score items for some users: a trained model or a baseline."""

    @property
    def n_users(self) -> int:
        """Users of row numbers below it can be served."""
        ...

    @property
    def n_items(self) -> int:
        """Items of row numbers below it are scored: all of train, or of the fold."""
        ...

    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, n_items] (float) for `users` ([B] int64 row numbers); higher is better."""
        ...


@dataclass(frozen=True)
class Recommendations:
    """The top of the ranking for each user, best first.

    users: [U] int64.
    items: [U, K] int64; -1 where a user has fewer than K candidates.
    scores: [U, K] float32; -inf where items is -1.
    """

    users: Tensor
    items: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Negatives:
    """A draw of negative items for a batch of B positives.

    items: [B, N] int64, own negatives for each row, or [N], one pool that the batch shares.
    log_expected_count: shaped as `items`, float32: log of how often the draw was expected to bring
        that item into the row's (or the pool's) N places. The logQ of Yi et al. 2019 (RecSys,
        "Sampling-bias-corrected neural modeling"), exact for every sampler and mixture.
    valid: [B, N] bool: False where the item must not count against the row, an accidental hit on
        its positive or, where asked for, an item of the user's train history. None: all count.
    hardest: which of these candidates count; None: all.
    """

    items: Tensor
    log_expected_count: Tensor
    valid: Tensor | None
    hardest: Hardest | None = None


@dataclass(frozen=True)
class Hardest:
    """The negatives of a row are those of its candidates that the model now scores highest.

    n: how many; of_each: the best of each of n equal groups of candidates, not the n best of all.
    """

    n: int
    of_each: bool


@dataclass(frozen=True)
class Scores:
    """What a loss sees of a batch.

    positive: [B], negative: [B, N], the scores of users against their positives and negatives.
    valid: [B, N] bool or None (all valid); log_expected_count: [B, N] or [N].
    embeddings: [B, D] of the users and [B, D] of their positives, for losses of these themselves.
    """

    positive: Tensor
    negative: Tensor
    valid: Tensor | None
    log_expected_count: Tensor
    embeddings: tuple[Tensor, Tensor] | None = None
