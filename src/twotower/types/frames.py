"""Interactions as frames, with ids of the source's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from twotower.core.slices import slices

__all__ = ["FILE_ORDER", "ITEM", "RATING", "TIMESTAMP", "USER", "WEIGHT"]
__all__ += ["Interactions", "SplitFrames", "rows_with"]

USER = "user_id"
ITEM = "item_id"
RATING = "rating"
TIMESTAMP = "timestamp"
FILE_ORDER = "file_order"
WEIGHT = "weight"


@dataclass(frozen=True)
class Interactions:
    """The content of a dataset: an interaction log, and features of users and items.

    log: columns `user_id`, `item_id` (any type without nulls), and where the source has them
        `rating` (Float64), `timestamp` (Datetime, microseconds; Int64 where the source says that
        its timestamps only order the interactions), `file_order` (Int64, the place of the line in a
        file whose lines are in order of time) and `weight` (Float64, 0 or more, the weight of the
        interaction in training).
    users, items: one row an id, key column `user_id` or `item_id`, feature columns after it
        (an item's `title` is used wherever people read); None where the source has none.
    test: the test part of a log that comes split already, with the columns of `log`; else None.
    origin: where the data came from, in words for the terminal.
    digest: hex digest of the content, the same for the same data wherever it came from.
    sources: what messages call `log`, `users`, `items` and `test`: the file and the key that names
        it; empty for sources without files of the user's.
    """

    log: pl.DataFrame
    users: pl.DataFrame | None
    items: pl.DataFrame | None
    test: pl.DataFrame | None
    origin: str
    digest: str
    sources: Mapping[str, str] = field(default_factory=dict)

    def take_log(self) -> pl.DataFrame:
        """Return `log` and keep none of its rows, so that the caller can free their memory."""
        log = self.log
        object.__setattr__(self, "log", log.clear())
        return log


def rows_with(log: pl.DataFrame, few: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of `few`, of the rows of `log` that are equal to one of it.

    >>> log = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [5, 6, 5], "rating": [1, 2, 3]})
    >>> rows_with(log, pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6]})).rows()
    [(1, 5)]
    """
    few, on = few.unique(), few.columns
    parts = [  # a join encodes all rows of its left side as text, which takes more than they do
        part.select(on).join(few, on=on, how="semi") for part in slices(log)
    ]
    return pl.concat([few.clear(), *parts])


@dataclass(frozen=True)
class SplitFrames:
    """A log after filters and split; `validation` is None where none is cut.

    validation, test: ground truth alone, each (user, item) pair once.
    validation_known, test_known: interactions of the users of that part that are known at
        evaluation time, neither train nor ground truth, sorted by time if it is known; None: none.
    history: the whole log before the test part, in order of time: train and all of validation,
        including rows that are known, not relevant or cold to train, with the columns of
        `Interactions.log`. A model that is refitted for the test trains on it, and it is what users
        of the test part have seen. Without validation: train.
    in_train: [len(history)] Boolean, which rows of history are train; None: all.
    users, items: features of ids, those that occur in no part too; None where the source has none.
    n_users: how many users the log has after the filters, in any part or none.
    digest: hex digest of the content of the parts, the identity of the split.
    identity: hex digest of the parts and the features, all the data that a run depends on; equal
        to `digest` if there are no features.
    """

    validation: pl.DataFrame | None
    validation_known: pl.DataFrame | None
    test: pl.DataFrame
    test_known: pl.DataFrame | None
    history: pl.DataFrame
    in_train: pl.Series | None
    users: pl.DataFrame | None
    items: pl.DataFrame | None
    n_users: int
    digest: str
    identity: str

    @property
    def train(self) -> pl.DataFrame:
        """The train part: a copy of its rows if they are not all of `history`."""
        return self.history if self.in_train is None else self.history.filter(self.in_train)
