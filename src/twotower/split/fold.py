"""From frames to tensors: ids become row numbers, fitted on train alone."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import torch
from torch import Tensor

from twotower.core.errors import DataError
from twotower.split.base import Part, Split
from twotower.types import (
    FILE_ORDER,
    ITEM,
    TIMESTAMP,
    USER,
    WEIGHT,
    Fold,
    Histories,
    Holdout,
    ItemLists,
    SplitFrames,
    TrainInteractions,
    Vocabulary,
    in_time,
    turns,
)

_ROW = "__row"


def make_fold(
    train: pl.DataFrame,
    holdout: pl.DataFrame,
    history: pl.DataFrame,
    drop_cold_users: bool,
    drop_cold_items: bool,
    *,
    known: pl.DataFrame | None = None,
    user_features: pl.DataFrame | None = None,
    item_features: pl.DataFrame | None = None,
) -> Fold:
    """Return the fold that trains on `train` and is evaluated on the pairs of `holdout`.

    history: what users had interacted with before, dropped from their rankings: `train`, or train
        and validation when a model trained on train alone is judged on test. Its items that the
        fold lacks cannot be recommended anyway and are left out.
    drop_cold_users, drop_cold_items: leave out pairs of users or items that `train` lacks;
        otherwise they get row numbers after the last of train (see Holdout), and so does each
        further row of `user_features` and `item_features`: all users that could be served are, and
        all items that could be recommended compete.
    known: interactions of users that are not in `train`, known at evaluation time.
    user_features, item_features: one row an id, which is the column `user_id` or `item_id`.

    Row numbers follow the order of the ids, first of train, then of the rest. An item that a user
    meets again in `holdout` stays in the ground truth, as in RePlay, though it is out of reach
    where seen items are dropped.
    Raises DataError when `train` is empty or nothing of `holdout` is left.
    """
    if train.is_empty():
        raise DataError("The train part is empty: loosen preprocessing.filters or split.")
    vocabulary = Vocabulary(train[USER].unique().sort(), train[ITEM].unique().sort())
    n_users, n_items = len(vocabulary.users), len(vocabulary.items)
    users = _numbered(vocabulary.users, [holdout[USER], *_keys(user_features, drop_cold_users)])
    items = _numbered(vocabulary.items, [holdout[ITEM], *_keys(item_features, drop_cold_items)])
    pairs = _encode(holdout, users, items)
    kept = torch.ones(len(pairs[0]), dtype=torch.bool)
    if drop_cold_users:
        kept &= pairs[0] < n_users
    if drop_cold_items:
        kept &= pairs[1] < n_items
    if not kept.any():
        raise DataError(_nothing_left(holdout, pairs, n_users, n_items))
    users = users[: n_users if drop_cold_users else None]
    items = items[: n_items if drop_cold_items else None]
    trained = _train_interactions(train, users, items, n_users, n_items)
    seen = (trained.users[trained.time_order], trained.items[trained.time_order])
    if history is not train or known is not None:
        before = history if known is None else pl.concat([history, known], how="diagonal")
        seen = _encode(in_time(before), users, items)
    return Fold(
        Vocabulary(users["id"].alias(USER), items["id"].alias(ITEM)),
        trained,
        _holdout((pairs[0][kept], pairs[1][kept]), seen),
        Histories.of(*seen, len(users), TIMESTAMP in train.columns),
        _features(user_features, USER, users["id"]),
        _features(item_features, ITEM, items["id"]),
    )


def fold_of(frames: SplitFrames, part: Part, split: Split, *, on_train: bool = False) -> Fold:
    """Return the fold that is evaluated on `part` of `frames`, which `split` made.

    For validation a model is trained on train; for test on all that comes before it, or, with
    `on_train`, on train alone. Raises DataError as `make_fold` does.
    """
    validation = part == "validation"
    holdout = frames.validation if validation else frames.test
    assert holdout is not None
    return make_fold(
        frames.train if validation or on_train else frames.history,
        holdout,
        frames.train if validation else frames.history,
        split.drop_cold_users,
        split.drop_cold_items,
        known=frames.validation_known if validation else frames.test_known,
        user_features=frames.users,
        item_features=frames.items,
    )


def _keys(features: pl.DataFrame | None, drop_cold: bool) -> list[pl.Series]:
    """Return the ids that are known by features, if those that train lacks are not dropped."""
    return [] if drop_cold or features is None else [features.to_series(0)]


def _numbered(known: pl.Series, more: Sequence[pl.Series]) -> pl.DataFrame:
    """Row numbers of the ids in `known`, then of those that only `more` holds, in order of id."""
    cold = pl.concat(more).unique().sort()
    cold = cold.filter(~cold.is_in(known.implode()))
    return pl.DataFrame({"id": pl.concat([known, cold])}).with_row_index(_ROW)


def _encode(log: pl.DataFrame, users: pl.DataFrame, items: pl.DataFrame) -> tuple[Tensor, Tensor]:
    """Row numbers of the pairs of `log`, in its order; pairs with an id unknown to both drop."""
    rows = (
        log.select(USER, ITEM)
        .join(users, left_on=USER, right_on="id", maintain_order="left")
        .join(items, left_on=ITEM, right_on="id", maintain_order="left", suffix="_item")
        .select(pl.col(_ROW, f"{_ROW}_item").cast(pl.Int32))
    )
    return _tensor(rows[_ROW]), _tensor(rows[f"{_ROW}_item"])


def _train_interactions(
    train: pl.DataFrame, users: pl.DataFrame, items: pl.DataFrame, n_users: int, n_items: int
) -> TrainInteractions:
    if TIMESTAMP not in train.columns:
        pairs = _encode(train, users, items)
        return TrainInteractions(*pairs, n_users, n_items, weights=_weights(train))
    if not train[TIMESTAMP].is_sorted():
        train = train.sort(TIMESTAMP, maintain_order=True)
    times = train[TIMESTAMP]
    return TrainInteractions(
        *_encode(train, users, items),
        n_users,
        n_items,
        timestamps=_tensor(times.cast(pl.Int64)),
        dated=times.dtype.is_temporal(),
        turns=torch.from_numpy(turns(train)).int(),
        turns_known=FILE_ORDER in train.columns,
        weights=_weights(train),
    )


def _weights(train: pl.DataFrame) -> Tensor | None:
    """Return the weights of the rows as shares of their mean, None if they have none."""
    if WEIGHT not in train.columns:
        return None
    weights = _tensor(train[WEIGHT])
    if not weights.any():
        raise DataError(
            "dataset.columns.weight: all weights of the train part are 0; expected one above 0"
        )
    return (weights / weights.mean()).float()


def _tensor(series: pl.Series) -> Tensor:
    return torch.from_numpy(series.to_numpy(writable=True))


def _holdout(relevant: tuple[Tensor, Tensor], seen: tuple[Tensor, Tensor]) -> Holdout:
    users = torch.unique(relevant[0]).long()
    n_users = int(max(part.max() for part in (users, seen[0]) if len(part))) + 1
    place = torch.full((n_users,), -1, dtype=torch.int32)  # of each user in the holdout
    place[users] = torch.arange(len(users), dtype=torch.int32)
    rows = place[seen[0]]
    return Holdout(
        users,
        ItemLists.from_pairs(place[relevant[0]], relevant[1], len(users)),
        ItemLists.from_pairs(rows[rows >= 0], seen[1][rows >= 0], len(users)),
    )


def _features(table: pl.DataFrame | None, key: str, ids: pl.Series) -> pl.DataFrame | None:
    """Return the features of `ids`, one row each, null if `table` has none."""
    if table is None or table.width == 1:
        return None
    return (
        ids.alias(key).to_frame().join(table, on=key, how="left", maintain_order="left").drop(key)
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
