"""The tensors of a streamed fold: files that are mapped into memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch
from filelock import FileLock
from torch import Tensor

from twotower.core.errors import DataError
from twotower.core.files import write_atomically
from twotower.split.base import Part, Split
from twotower.split.encoding import Encoding, feature_rows, fit_encoding
from twotower.split.streaming.buckets import Buckets
from twotower.split.streaming.prepare import IN_TRAIN, buckets_of
from twotower.split.streaming.write_fold import FoldWriter
from twotower.types import (
    ITEM,
    TIMESTAMP,
    USER,
    BlockOrder,
    Fold,
    Histories,
    Holdout,
    ItemLists,
    StreamedFrames,
    StreamedTrain,
)

__all__ = ["BLOCK", "BLOCKS_AT_ONCE", "streamed_fold"]

BLOCK = 65_536  # neighbouring rows that are read together
BLOCKS_AT_ONCE = 64  # blocks that are mixed: 4 million rows


def streamed_fold(
    frames: StreamedFrames, holdout: pl.DataFrame, part: Part, split: Split, *, on_train: bool
) -> Fold:
    """Return the fold that is evaluated on `holdout`, the rows of `part`; see `fold_of`.

    Its large tensors are files next to `frames`, written at the first call.

    Raises:
        DataError: The train part is empty, or nothing of `holdout` is left.
    """
    trains_on_train, seen_in_train = part == "validation" or on_train, part == "validation"
    buckets = buckets_of(frames)
    encoding = _encoding(buckets, frames, holdout, split, trains_on_train)
    name = f"fold_{part}{'_on_train' if on_train and part == 'test' else ''}"
    folder = frames.folder / name
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            writer = FoldWriter(encoding, buckets, trains_on_train, seen_in_train)
            write_atomically(folder, writer.write)
    users, relevant = encoding.holdout_lists()
    histories = Histories(_map(folder, "seen_offsets"), _map(folder, "seen_history"))
    seen = ItemLists(histories.offsets, _map(folder, "seen_sorted"))
    every = torch.equal(users, torch.arange(histories.n_rows))
    vocabulary = encoding.vocabulary
    return Fold(
        vocabulary,
        _train(folder, encoding, timed=holdout[TIMESTAMP].dtype.is_temporal()),
        Holdout(users, relevant, seen if every else seen.select(users)),
        histories,
        feature_rows(frames.users, USER, vocabulary.users),
        feature_rows(frames.items, ITEM, vocabulary.items),
    )


def _encoding(
    buckets: Buckets, frames: StreamedFrames, holdout: pl.DataFrame, split: Split, on_train: bool
) -> Encoding:
    users, items = [], None
    for log in buckets.columns(USER, ITEM, IN_TRAIN):
        log = log.filter(IN_TRAIN) if on_train else log
        users.append(log[USER].unique())
        new = log[ITEM].unique()
        items = new if items is None else pl.concat([items, new]).unique()
    assert items is not None
    if items.is_empty():
        raise DataError("The train part is empty: loosen preprocessing.filters or split.")
    return fit_encoding(
        pl.concat(users).sort(),
        items.sort(),
        holdout,
        split.drop_cold_users,
        split.drop_cold_items,
        frames.users,
        frames.items,
    )


def _train(folder: Path, encoding: Encoding, timed: bool) -> StreamedTrain:
    users = _map(folder, "users")
    offsets = _map(folder, "train_offsets")
    return StreamedTrain(
        users,
        _map(folder, "items"),
        encoding.n_users,
        encoding.n_items,
        timestamps=_map(folder, "timestamps"),
        dated=timed,
        order=BlockOrder(len(users), BLOCK, BLOCKS_AT_ONCE),
        stored_histories=Histories(offsets, _map(folder, "train_history")),
        stored_lists=ItemLists(offsets, _map(folder, "train_sorted")),
        stored_before=_map(folder, "before"),
    )


def _map(folder: Path, name: str) -> Tensor:
    """Return the array of a file; pages are read when used, and dropped when memory is short."""
    return torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c"))
