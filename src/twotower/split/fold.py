"""From frames to tensors: ids become row numbers, fitted on train alone."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from twotower.errors import DataError
from twotower.types import (
    ITEM,
    TIMESTAMP,
    USER,
    Fold,
    Holdout,
    ItemLists,
    TrainInteractions,
    Vocabulary,
)

_ROW = "__row"


def make_fold(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    history: pl.DataFrame,
    drop_cold_users: bool,
    drop_cold_items: bool,
) -> Fold:
    """Train on `train`, be judged on the pairs of `holdout`.

    history: what users had interacted with before, dropped from their rankings: `train`, or train
        and validation when a model trained on train alone is judged on test. Its items that train
        lacks cannot be recommended anyway and are left out.
    drop_cold_users, drop_cold_items: leave out pairs of users or items that `train` lacks;
        otherwise they count as misses, with row numbers after the last of train (see Holdout).

    Row numbers follow the order of the ids. An item that a user meets again in `holdout` stays in
    the ground truth, as in RePlay, though it is out of reach where seen items are dropped.
    Raises DataError when `train` is empty or nothing of `holdout` is left.
    """
    if train.is_empty():
        raise DataError("The train part is empty: loosen preprocessing.filters or split.")
    vocabulary = Vocabulary(train[USER].unique().sort(), train[ITEM].unique().sort())
    users = _numbered(vocabulary.users, holdout[USER])
    items = _numbered(vocabulary.items, holdout[ITEM])
    n_users, n_items = len(vocabulary.users), len(vocabulary.items)
    pairs = _encode(holdout, users, items)
    kept = torch.ones(len(pairs[0]), dtype=torch.bool)
    if drop_cold_users:
        kept &= pairs[0] < n_users
    if drop_cold_items:
        kept &= pairs[1] < n_items
    if not kept.any():
        raise DataError(_nothing_left(holdout, pairs, n_users, n_items))
    if TIMESTAMP in train.columns:
        train = train.sort(TIMESTAMP, maintain_order=True)
    return Fold(
        vocabulary,
        TrainInteractions(*_encode(train, users, items), n_users, n_items, _timestamps(train)),
        _holdout((pairs[0][kept], pairs[1][kept]), _encode(history, users, items[:n_items])),
    )


def _numbered(known: pl.Series, more: pl.Series) -> pl.DataFrame:
    """Row numbers of the ids in `known`, then of those that only `more` holds, in order of id."""
    cold = more.unique().sort()
    cold = cold.filter(~cold.is_in(known.implode()))
    return pl.DataFrame({"id": pl.concat([known, cold])}).with_row_index(_ROW)


def _encode(log: pl.DataFrame, users: pl.DataFrame, items: pl.DataFrame) -> tuple[Tensor, Tensor]:
    """Row numbers of the pairs of `log`, in its order; pairs with an id unknown to both drop."""
    rows = (
        log.select(USER, ITEM)
        .join(users, left_on=USER, right_on="id", maintain_order="left")
        .join(items, left_on=ITEM, right_on="id", maintain_order="left", suffix="_item")
        .select(pl.col(_ROW, f"{_ROW}_item").cast(pl.Int64))
    )
    return _tensor(rows[_ROW]), _tensor(rows[f"{_ROW}_item"])


def _timestamps(log: pl.DataFrame) -> Tensor | None:
    """[n] microseconds since 1970, in the order of `log`."""
    return _tensor(log[TIMESTAMP].dt.epoch("us")) if TIMESTAMP in log.columns else None


def _tensor(series: pl.Series) -> Tensor:
    return torch.from_numpy(series.to_numpy(writable=True))


def _holdout(relevant: tuple[Tensor, Tensor], seen: tuple[Tensor, Tensor]) -> Holdout:
    users = torch.unique(relevant[0])
    of_holdout = torch.isin(seen[0], users)
    return Holdout(
        users,
        ItemLists.from_pairs(torch.searchsorted(users, relevant[0]), relevant[1], len(users)),
        ItemLists.from_pairs(
            torch.searchsorted(users, seen[0][of_holdout]), seen[1][of_holdout], len(users)
        ),
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
