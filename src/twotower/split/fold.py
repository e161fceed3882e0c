"""From frames to tensors: ids become row numbers, fitted on train alone."""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from twotower.core.errors import DataError
from twotower.split.base import Part, Split
from twotower.split.encoding import Encoding, as_tensor, feature_rows, fit_encoding
from twotower.split.streaming.fold import streamed_fold
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
    StreamedFrames,
    TrainInteractions,
    in_time,
    turns,
)


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
    encoding = fit_encoding(
        train[USER].unique().sort(),
        train[ITEM].unique().sort(),
        holdout,
        drop_cold_users,
        drop_cold_items,
        user_features,
        item_features,
    )
    trained = _train_interactions(train, encoding)
    timed = TIMESTAMP in train.columns
    if history is train and known is None:
        seen = trained.in_time()
    else:
        before = history if known is None else pl.concat([history, known], how="diagonal")
        seen = encoding.rows(in_time(before))
        del before
    del train, history  # copies, of which the caller may hold no other reference
    vocabulary = encoding.vocabulary
    return Fold(
        vocabulary,
        trained,
        _holdout(encoding, seen),
        Histories.of(*seen, len(vocabulary.users), timed),
        feature_rows(user_features, USER, vocabulary.users),
        feature_rows(item_features, ITEM, vocabulary.items),
    )


def fold_of(frames: SplitFrames, part: Part, split: Split, *, on_train: bool = False) -> Fold:
    """Return the fold that is evaluated on `part` of `frames`, which `split` made.

    For validation a model is trained on train; for test on all that comes before it, or, with
    `on_train`, on train alone. Raises DataError as `make_fold` does.
    """
    validation = part == "validation"
    holdout = frames.validation if validation else frames.test
    assert holdout is not None
    if isinstance(frames, StreamedFrames):
        return streamed_fold(frames, holdout, part, split, on_train=on_train)
    if validation:
        parts = [frames.train] * 2
    else:
        parts = [frames.history, frames.train if on_train else frames.history]
    return make_fold(
        parts.pop(),  # so that no variable here holds it
        holdout,
        parts.pop(),
        split.drop_cold_users,
        split.drop_cold_items,
        known=frames.validation_known if validation else frames.test_known,
        user_features=frames.users,
        item_features=frames.items,
    )


def _train_interactions(train: pl.DataFrame, encoding: Encoding) -> TrainInteractions:
    n_users, n_items = encoding.n_users, encoding.n_items
    if TIMESTAMP not in train.columns:
        pairs = encoding.rows(train)
        return TrainInteractions(*pairs, n_users, n_items, weights=_weights(train))
    if not train[TIMESTAMP].is_sorted():
        train = train.sort(TIMESTAMP, maintain_order=True)
    times = train[TIMESTAMP]
    return TrainInteractions(
        *encoding.rows(train),
        n_users,
        n_items,
        timestamps=as_tensor(times.cast(pl.Int64)),
        dated=times.dtype.is_temporal(),
        turns=torch.from_numpy(turns(train)).int(),
        turns_known=FILE_ORDER in train.columns,
        weights=_weights(train),
    )


def _weights(train: pl.DataFrame) -> Tensor | None:
    """Return the weights of the rows as shares of their mean, None if they have none."""
    if WEIGHT not in train.columns:
        return None
    weights = as_tensor(train[WEIGHT])
    if not weights.any():
        raise DataError(
            "dataset.columns.weight: all weights of the train part are 0; expected one above 0"
        )
    return (weights / weights.mean()).float()


def _holdout(encoding: Encoding, seen: tuple[Tensor, Tensor]) -> Holdout:
    users, relevant = encoding.holdout_lists()
    n_users = int(max(part.max() for part in (users, seen[0]) if len(part))) + 1
    place = torch.full((n_users,), -1, dtype=torch.int32)  # of each user in the holdout
    place[users] = torch.arange(len(users), dtype=torch.int32)
    rows = place[seen[0]]
    of_holdout = rows >= 0
    return Holdout(
        users, relevant, ItemLists.from_pairs(rows[of_holdout], seen[1][of_holdout], len(users))
    )
