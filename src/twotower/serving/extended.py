"""Rows added to a side of a trained model: they are known by their features alone."""

from __future__ import annotations

import logging
from typing import Any

import polars as pl
import torch

from twotower.config import build_stored
from twotower.core.errors import DataError
from twotower.dataset.columns import Place
from twotower.dataset.given_frames import as_polars
from twotower.dataset.ids import ids as checked_ids
from twotower.dataset.vectors import checked_vectors
from twotower.model import TwoTower
from twotower.serving.files import StoredModel
from twotower.serving.id_rows import IdRows
from twotower.tower.prior import TwoTowerFactory
from twotower.tower.text.sentence import SavedText, SentenceText, without_encoder
from twotower.types import ITEM, USER, Histories, Side, Vocabulary

__all__ = ["extended"]

logger = logging.getLogger(__name__)


def extended(stored: StoredModel, *, users: Any = None, items: Any = None) -> StoredModel:
    """Return the model with further users and items, without training.

    Args:
        stored: The trained model.
        users: A frame of pandas or Polars with `user_id` and the features of training; None: none.
            Ids that the model knows are ignored. A feature that is missing is unknown.
        items: Likewise, with `item_id`.

    Raises:
        DataError: A tower that would have to know the new rows does not read features, or a
            feature is of another type.
    """
    user_side, user_ids = _with_rows(stored.users, stored.vocabulary.users, users, USER)
    item_side, item_ids = _with_rows(stored.items, stored.vocabulary.items, items, ITEM)
    model = _rebuilt(stored, user_side, item_side)
    added = user_side.n - stored.users.n
    offsets = stored.histories.offsets
    histories = Histories(torch.cat([offsets, offsets[-1:].expand(added)]), stored.histories.items)
    vocabulary = Vocabulary(user_ids, item_ids)
    return StoredModel(model, stored.tower, vocabulary, histories, user_side, item_side)


def _with_rows(side: Side, known: pl.Series, given: Any, key: str) -> tuple[Side, pl.Series]:
    if given is None:
        return side, known
    name = f"{side.kind}s"
    frame = as_polars(given, name, None)
    if key not in frame.columns:
        raise DataError(f"{name}: no column {key!r}; there are {frame.columns}")
    given_ids = checked_ids(frame[key], Place(name, key, None))
    new = given_ids.is_first_distinct() & pl.Series((IdRows(known).of(given_ids) < 0).numpy())
    frame, new_ids = frame.filter(new), given_ids.filter(new)
    logger.info("%s: %s are new to the model", name, f"{len(frame):,}")
    if side.features is None:
        raise DataError(
            f"{name}: the model knows its {name} by their ids alone, so it cannot serve new ones; "
            "train one with features, such as tower=features"
        )
    columns = [_aligned(frame, column, name) for column in side.features]
    features = checked_vectors(pl.concat([side.features, pl.DataFrame(columns)]), name)
    if new_ids.dtype != known.dtype:
        known, new_ids = known.cast(pl.String), new_ids.cast(pl.String)
    ids = pl.concat([known, new_ids]).alias(key)
    return Side(side.kind, len(ids), side.n_train, features), ids


def _aligned(frame: pl.DataFrame, like: pl.Series, name: str) -> pl.Series:
    """Return the column of `frame` that `like` has the name and type of, null if it has none."""
    if like.name not in frame.columns:
        return pl.Series(like.name, [None] * len(frame), dtype=like.dtype)
    try:
        return frame[like.name].cast(like.dtype)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{name}: column {like.name!r} is of type {frame[like.name].dtype}; expected "
            f"{like.dtype}, as in training: {str(error).partition(chr(10))[0]}"
        ) from error


def _rebuilt(stored: StoredModel, users: Side, items: Side) -> TwoTower:
    """Return the model on longer sides, with the weights that it has."""
    old = stored.model.state_dict()
    _refuse_sentences(stored, users, items)
    packages = {type(module).__module__.partition(".")[0] for module in stored.model.modules()}
    node = without_encoder(stored.tower, old)
    allowed = sorted(packages - {"twotower", "torch"})
    factory = build_stored("tower", node, TwoTowerFactory, allowed)
    model = TwoTower.build(factory, users=users, items=items, seed=0)
    # What is learned is of train's rows, and keeps its shape; what is stored of features is longer.
    kept = {
        name: old[name] if name in old and old[name].shape == value.shape else value
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(kept)
    for side, tower in ((users, model.user_tower), (items, model.item_tower)):
        before = stored.users if side.kind == "user" else stored.items
        if side.n > before.n and len(tower.table()) < side.n:  # type: ignore[operator]
            raise DataError(
                f"{side.kind}s: the {side.kind} tower is {type(tower).__name__}, which cannot "
                f"serve new {side.kind}s; train one with features, such as tower=features"
            )
    return model.eval()


def _refuse_sentences(stored: StoredModel, users: Side, items: Side) -> None:
    towers = {"user": stored.model.user_tower, "item": stored.model.item_tower}
    for side, before in ((users, stored.users), (items, stored.items)):
        modules = towers[side.kind].modules()
        if side.n > before.n and any(isinstance(m, SavedText | SentenceText) for m in modules):
            raise DataError(
                f"{side.kind}s: the {side.kind} tower reads texts by a sentence encoder, which is "
                "not part of the model, so it cannot serve new ones; train one with "
                "tower/text=ngrams"
            )
