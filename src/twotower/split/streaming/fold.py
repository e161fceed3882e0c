"""The tensors of a streamed fold: files that are mapped into memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.errors import DataError
from twotower.core.files import write_atomically
from twotower.split.base import Part, Split
from twotower.split.encoding import ITEM_ROW, USER_ROW, Encoding, feature_rows, fit_encoding
from twotower.split.streaming.buckets import Buckets
from twotower.split.streaming.prepare import IN_TRAIN, buckets_of
from twotower.types import (
    FILE_ORDER,
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
    TrainInteractions,
    in_time,
)

__all__ = ["BLOCK", "BLOCKS_AT_ONCE", "streamed_fold"]

BLOCK = 65_536  # neighbouring rows that are read together
BLOCKS_AT_ONCE = 64  # blocks that are mixed: 4 million rows
_Ints = NDArray[np.int32]


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
            writer = _Writer(encoding, buckets, trains_on_train, seen_in_train)
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
    for log in buckets:
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


@dataclass(frozen=True)
class _Writer:
    """Writes the files of a fold, in two passes over the buckets.

    The first encodes the buckets, writes the train interactions of each in random order, and counts
    the entries of each user; the second puts these where the counts say.
    """

    encoding: Encoding
    buckets: Buckets
    trains_on_train: bool
    seen_in_train: bool

    def write(self, folder: Path) -> None:
        """Write all files to `folder`."""
        folder.mkdir()
        column = list(self.buckets.column(IN_TRAIN))
        n_train = sum(int(part.sum()) if self.trains_on_train else len(part) for part in column)
        train = _Train(folder, n_train)
        n_users = len(self.encoding.users)
        parts = {"train": _Lists(folder, "train", self.encoding.n_users)}
        if self.trains_on_train != self.seen_in_train:
            parts["seen"] = _Lists(folder, "seen", n_users)
        for place, log in enumerate(self.buckets):
            rows = self.encoding.encoded(in_time(log))
            trained = rows.filter(IN_TRAIN) if self.trains_on_train else rows
            train.append(trained, place, self.encoding.n_items)
            parts["train"].count(trained, place)
            if "seen" in parts:
                parts["seen"].count(rows, place)
        for lists in parts.values():
            lists.write(self.buckets.n)
        if "seen" not in parts:
            for name in ("history", "sorted"):
                (folder / f"seen_{name}.npy").hardlink_to(folder / f"train_{name}.npy")
            offsets = np.load(folder / "train_offsets.npy")
            cold = np.full(n_users - self.encoding.n_users, offsets[-1])
            np.save(folder / "seen_offsets.npy", np.concatenate([offsets, cold]))


class _Train:
    """The files of the train interactions."""

    def __init__(self, folder: Path, n: int) -> None:
        def array(name: str, dtype: type) -> np.memmap:
            return np.lib.format.open_memmap(
                folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(n,)
            )

        self._arrays = {name: array(name, np.int32) for name in ("users", "items", "before")}
        self._arrays["timestamps"] = array("timestamps", np.int64)
        self._done = 0

    def append(self, log: pl.DataFrame, place: int, n_items: int) -> None:
        """Write the rows of a bucket, in order of time, in a random order of its own."""
        order = np.random.default_rng([0, place]).permutation(len(log))
        users, items = log[USER_ROW].to_numpy(), log[ITEM_ROW].to_numpy()
        times = log[TIMESTAMP].to_physical().cast(pl.Int64).to_numpy()
        here = slice(self._done, self._done + len(log))
        self._arrays["users"][here] = users[order]
        self._arrays["items"][here] = items[order]
        self._arrays["timestamps"][here] = times[order]
        self._arrays["before"][here] = _before(users, items, times, n_items, log.columns)[order]
        self._done += len(log)


def _before(
    users: _Ints, items: _Ints, times: NDArray[np.int64], n_items: int, columns: list[str]
) -> NDArray[np.int64]:
    """Return [n] how many interactions of its user are earlier than each; see TrainInteractions."""
    distinct, local = np.unique(users, return_inverse=True)
    tensors = (torch.from_numpy(each.copy()) for each in (local, items, times))
    rows, columns_, moments = tensors
    part = TrainInteractions(
        rows,
        columns_,
        len(distinct),
        n_items,
        timestamps=moments,
        turns=torch.arange(len(rows)),
        turns_known=FILE_ORDER in columns,
    )
    before = part.before
    assert before is not None
    return before.numpy()


class _Lists:
    """The items of each user, in order of time and in order of item."""

    def __init__(self, folder: Path, name: str, n_users: int) -> None:
        self._folder, self._name = folder, name
        self._counts = np.zeros(n_users, dtype=np.int64)

    def count(self, log: pl.DataFrame, place: int) -> None:
        """Count the entries of a bucket, in order of time, and keep them for `write`."""
        users, items = log[USER_ROW].to_numpy(), log[ITEM_ROW].to_numpy()
        self._counts += np.bincount(users, minlength=len(self._counts))
        np.save(self._kept(place), np.stack([users, items]))

    def write(self, n_buckets: int) -> None:
        """Write offsets and items."""
        offsets = np.concatenate([[0], self._counts.cumsum()])
        np.save(self._file("offsets"), offsets)
        orders: dict[str, Callable[[_Ints, _Ints], NDArray[np.int64]]] = {
            "history": lambda users, items: np.argsort(users, kind="stable"),
            "sorted": lambda users, items: np.lexsort((items, users)),
        }
        arrays = {
            name: np.lib.format.open_memmap(
                self._file(name), mode="w+", dtype=np.int32, shape=(int(offsets[-1]),)
            )
            for name in orders
        }
        for place in range(n_buckets):
            users, items = np.load(self._kept(place))
            for name, order in orders.items():
                rows = order(users, items)
                arrays[name][_places(users[rows], offsets)] = items[rows]
            self._kept(place).unlink()

    def _file(self, what: str) -> Path:
        return self._folder / f"{self._name}_{what}.npy"

    def _kept(self, place: int) -> Path:
        return self._folder / f"{self._name}_{place}.npy"


def _places(users: _Ints, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return [n] where the entries of `users`, ascending, are in lists with these offsets."""
    places = np.arange(len(users))
    firsts = np.where(np.append(True, users[1:] != users[:-1])[: len(users)], places, 0)
    within: NDArray[np.int64] = offsets[users] + places - np.maximum.accumulate(firsts)
    return within
