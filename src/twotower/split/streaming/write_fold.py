"""Write the tensors of a streamed fold, in two passes over the buckets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.core.compiled import compiled
from twotower.split.encoding import ITEM_ROW, USER_ROW, Encoding
from twotower.split.streaming.buckets import Buckets, bucket_of
from twotower.split.streaming.prepare import IN_TRAIN
from twotower.types import FILE_ORDER, TIMESTAMP, in_time

__all__ = ["FoldWriter"]

_Ints = NDArray[np.int32]
_Longs = NDArray[np.int64]


@dataclass(frozen=True)
class FoldWriter:
    """Writes the files of a fold.

    The first pass encodes the buckets, writes the train interactions of each in random order, and
    counts the entries of each user; the second puts these where the counts say.
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
        n_users = len(self.encoding.users)
        train = _Train(folder, n_train, self.encoding.n_users)
        parts = {"train": _Lists(folder, "train", self.encoding.n_users)}
        if self.trains_on_train != self.seen_in_train:
            parts["seen"] = _Lists(folder, "seen", n_users)
        of_bucket = _by_bucket(self.encoding, self.buckets.n)
        for place, log in enumerate(self.buckets):
            rows = of_bucket[place].encoded(in_time(log))
            trained = rows.filter(IN_TRAIN) if self.trains_on_train else rows
            train.append(trained, place)
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


def _by_bucket(encoding: Encoding, n: int) -> list[Encoding]:
    """Return, for each bucket, the encoding with its users alone: joins then hash few."""
    which = bucket_of(encoding.users["id"], n)
    order = np.argsort(which, kind="stable")
    ends = np.bincount(which, minlength=n).cumsum().tolist()
    users = encoding.users[order]
    return [
        replace(encoding, users=users[start:end])
        for start, end in zip([0, *ends], ends, strict=False)
    ]


def _array(file: Path, dtype: type, n: int) -> NDArray[Any]:
    """Return an array that is written to `file`."""
    mapped = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=(n,))
    return mapped.view(np.ndarray)


class _Train:
    """The files of the train interactions."""

    def __init__(self, folder: Path, n: int, n_users: int) -> None:
        types = {"users": np.int32, "items": np.int32, "before": np.int32, "timestamps": np.int64}
        self._arrays = {name: _array(folder / f"{name}.npy", t, n) for name, t in types.items()}
        self._latest = np.zeros(n_users, np.int64)
        self._counts = np.zeros((2, n_users), np.int32)
        self._done = 0

    def append(self, log: pl.DataFrame, place: int) -> None:
        """Write the rows of a bucket, in order of time, in a random order of its own."""
        order = np.random.default_rng([0, place]).permutation(len(log))
        times = log[TIMESTAMP].to_physical().cast(pl.Int64).to_numpy()
        columns = {
            "users": log[USER_ROW].to_numpy(),
            "items": log[ITEM_ROW].to_numpy(),
            "timestamps": times,
            "before": np.empty(len(log), np.int32),
        }
        known = FILE_ORDER in log.columns
        _count_before(columns["users"], times, known, self._latest, self._counts, columns["before"])
        here = slice(self._done, self._done + len(log))
        for name, column in columns.items():
            np.take(column, order, out=self._arrays[name][here])
        self._done += len(log)


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
        history, ordered = (
            _array(self._file(name), np.int32, int(offsets[-1])) for name in ("history", "sorted")
        )
        ends = offsets[:-1].copy()
        for place in range(n_buckets):
            users, items = np.load(self._kept(place))
            _place(users, items, offsets, ends, history, ordered)
            self._kept(place).unlink()

    def _file(self, what: str) -> Path:
        return self._folder / f"{self._name}_{what}.npy"

    def _kept(self, place: int) -> Path:
        return self._folder / f"{self._name}_{place}.npy"


@compiled
def _count_before(
    users: _Ints, times: _Longs, known: bool, latest: _Longs, counts: _Ints, before: _Ints
) -> None:
    """Write how many interactions of its user are earlier than each; see TrainInteractions.

    Args:
        users, times: [n], in order of time.
        known: Whether those of one moment are in the order in which they came.
        latest: [n_users] the latest time of each user so far.
        counts: [2, n_users] how many there were so far, and before the latest time; 0 at first.
        before: [n], written.
    """
    for n in range(len(users)):
        user = users[n]
        if known or counts[0, user] == 0 or times[n] != latest[user]:
            counts[1, user] = counts[0, user]
            latest[user] = times[n]
        before[n] = counts[1, user]
        counts[0, user] += 1


@compiled
def _place(
    users: _Ints, items: _Ints, offsets: _Longs, ends: _Longs, history: _Ints, ordered: _Ints
) -> None:
    """Write the entries of all of some users to their lists.

    Args:
        users, items: [n], in order of time.
        offsets: [n_users + 1] where the list of each user begins.
        ends: [n_users] where the next entry of each user belongs; advanced.
        history, ordered: All lists, in order of time and of item; written.
    """
    for n in range(len(users)):
        user = users[n]
        history[ends[user]] = items[n]
        ends[user] += 1
        if ends[user] == offsets[user + 1]:
            of_user = ordered[offsets[user] : ends[user]]
            of_user[:] = history[offsets[user] : ends[user]]
            of_user.sort()
