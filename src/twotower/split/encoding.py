"""Ids of a fold as row numbers: first those of train, in order of id, then cold ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from twotower.core.errors import DataError
from twotower.core.slices import slices
from twotower.types import ITEM, USER, ItemLists, Vocabulary

__all__ = ["ITEM_ROW", "USER_ROW", "Encoding", "as_tensor", "feature_rows", "fit_encoding"]

USER_ROW, ITEM_ROW = "__row", "__row_item"


@dataclass(frozen=True)
class Encoding:
    """Row numbers of the users and items of a fold.

    Attributes:
        users, items: Ids (`id`) and their row numbers (USER_ROW).
        n_users, n_items: How many of each train has.
        relevant: [n] user rows and [n] item rows of the holdout, without what is dropped.
    """

    users: pl.DataFrame
    items: pl.DataFrame
    n_users: int
    n_items: int
    relevant: tuple[Tensor, Tensor]

    @property
    def vocabulary(self) -> Vocabulary:
        """The ids of the rows."""
        return Vocabulary(self.users["id"].alias(USER), self.items["id"].alias(ITEM))

    def encoded(self, log: pl.DataFrame) -> pl.DataFrame:
        """Return `log` with USER_ROW and ITEM_ROW, int32, without rows of unknown ids."""
        return _encoded(log, self.users, self.items)

    def rows(self, log: pl.DataFrame) -> tuple[Tensor, Tensor]:
        """Return [n] user rows and [n] item rows of `log`, without those of unknown ids."""
        parts = [  # a join of all rows would hold several copies of them
            self.encoded(part.select(USER, ITEM)).select(USER_ROW, ITEM_ROW) for part in slices(log)
        ]
        if not parts:
            return torch.empty(0, dtype=torch.int32), torch.empty(0, dtype=torch.int32)
        users = torch.cat([as_tensor(part[USER_ROW]) for part in parts])
        return users, torch.cat([as_tensor(part[ITEM_ROW]) for part in parts])

    def holdout_lists(self) -> tuple[Tensor, ItemLists]:
        """Return [U] user rows of the holdout, ascending, and the relevant items of each."""
        users = torch.unique(self.relevant[0]).long()
        places = torch.searchsorted(users, self.relevant[0])
        return users, ItemLists.from_pairs(places, self.relevant[1], len(users))


def fit_encoding(
    train_users: pl.Series,
    train_items: pl.Series,
    holdout: pl.DataFrame,
    drop_cold_users: bool,
    drop_cold_items: bool,
    user_features: pl.DataFrame | None,
    item_features: pl.DataFrame | None,
) -> Encoding:
    """Number the ids of train, and those of the holdout and of features that are not dropped.

    Args:
        train_users, train_items: Ids of train, ascending, each once.
        holdout: The ground truth.
        drop_cold_users, drop_cold_items: See `make_fold`.
        user_features, item_features: See `make_fold`.

    Raises:
        DataError: Nothing of the holdout is left.
    """
    n_users, n_items = len(train_users), len(train_items)
    users = _numbered(train_users, [holdout[USER], *_keys(user_features, drop_cold_users)])
    items = _numbered(train_items, [holdout[ITEM], *_keys(item_features, drop_cold_items)])
    held = _encoded(holdout, users, items)
    pairs = as_tensor(held[USER_ROW]), as_tensor(held[ITEM_ROW])
    kept = torch.ones(len(pairs[0]), dtype=torch.bool)
    if drop_cold_users:
        kept &= pairs[0] < n_users
    if drop_cold_items:
        kept &= pairs[1] < n_items
    if not kept.any():
        raise DataError(_nothing_left(holdout, pairs, n_users, n_items))
    return Encoding(
        users[: n_users if drop_cold_users else None],
        items[: n_items if drop_cold_items else None],
        n_users,
        n_items,
        (pairs[0][kept], pairs[1][kept]),
    )


def feature_rows(table: pl.DataFrame | None, key: str, ids: pl.Series) -> pl.DataFrame | None:
    """Return the features of `ids`, one row each, null if `table` has none."""
    if table is None or table.width == 1:
        return None
    return (
        ids.alias(key).to_frame().join(table, on=key, how="left", maintain_order="left").drop(key)
    )


def as_tensor(series: pl.Series) -> Tensor:
    """Return a copy of the values."""
    return torch.from_numpy(series.to_numpy(writable=True))


def _keys(features: pl.DataFrame | None, drop_cold: bool) -> list[pl.Series]:
    """Return the ids that are known by features, if those that train lacks are not dropped."""
    return [] if drop_cold or features is None else [features.to_series(0)]


def _numbered(known: pl.Series, more: Sequence[pl.Series]) -> pl.DataFrame:
    """Row numbers of the ids in `known`, then of those that only `more` holds, in order of id."""
    cold = pl.concat(more).unique().sort()
    cold = cold.filter(~cold.is_in(known.implode()))
    rows = pl.int_range(pl.len(), dtype=pl.Int32).alias(USER_ROW)
    return pl.DataFrame({"id": pl.concat([known, cold])}).select(rows, "id")


def _encoded(log: pl.DataFrame, users: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    return log.join(users, left_on=USER, right_on="id", maintain_order="left").join(
        items, left_on=ITEM, right_on="id", maintain_order="left", suffix="_item"
    )


def _nothing_left(
    holdout: pl.DataFrame, pairs: tuple[Tensor, Tensor], n_users: int, n_items: int
) -> str:
    cold_users = int((pairs[0] >= n_users).sum())
    cold_items = int((pairs[1] >= n_items).sum())
    return (
        f"Nothing is left to judge a model by: of {len(holdout):,} held-out interactions"
        f" {cold_users:,} are of users and {cold_items:,} of items that the train part lacks"
        f" ({n_users:,} users, {n_items:,} items). Set split.drop_cold_users=false or"
        " split.drop_cold_items=false, or change the split."
    )
