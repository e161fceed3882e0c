"""A log on disk in buckets: all rows of a user are in one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyarrow import parquet

from twotower.types import USER

__all__ = ["Buckets", "bucket_of", "scatter"]

_ROWS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Buckets:
    """Parquet files 0 to n - 1 in `folder`."""

    folder: Path
    n: int

    def __getitem__(self, place: int) -> pl.DataFrame:
        return pl.read_parquet(self._file(place), glob=False)

    def __setitem__(self, place: int, log: pl.DataFrame) -> None:
        log.write_parquet(self._file(place), compression="lz4")

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return (self[place] for place in range(self.n))

    def column(self, name: str) -> Iterator[pl.Series]:
        """Yield one column of each bucket."""
        return (part[name] for part in self.columns(name))

    def columns(self, *names: str) -> Iterator[pl.DataFrame]:
        """Yield some columns of each bucket."""
        for place in range(self.n):
            yield pl.read_parquet(self._file(place), columns=list(names), glob=False)

    def update(self, change: Callable[[pl.DataFrame], pl.DataFrame]) -> int:
        """Replace each bucket by what `change` returns for it; return the number of rows left."""
        total = 0
        for place in range(self.n):
            frame = change(self[place])
            self[place] = frame
            total += len(frame)
        return total

    def _file(self, place: int) -> Path:
        return self.folder / f"{place}.parquet"


def scatter(batches: Iterable[pl.DataFrame], folder: Path, n: int) -> Buckets:
    """Write the rows of `batches` to `n` buckets, by a hash of the user."""
    folder.mkdir(parents=True)
    buckets = Buckets(folder, n)
    with ExitStack() as stack:
        writers: list[parquet.ParquetWriter] = []
        for batch in batches:
            schema = batch.head(0).to_arrow().schema
            if not writers:
                for place in range(n):
                    writer = parquet.ParquetWriter(buckets._file(place), schema, compression="lz4")
                    writers.append(stack.enter_context(writer))
            which = bucket_of(batch[USER], n)
            order = np.argsort(which, kind="stable")
            ends = np.bincount(which, minlength=n).cumsum().tolist()
            sorted_ = batch[order]
            for writer, start, end in zip(writers, [0, *ends], ends, strict=False):
                if end > start:
                    writer.write_table(sorted_[start:end].to_arrow())
    return buckets


def bucket_of(ids: pl.Series, n: int) -> NDArray[np.uint16]:
    """Return [len(ids)] buckets, the same for the same id."""
    buckets = np.empty(len(ids), dtype=np.uint16)
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        some = ids[start : start + _ROWS_AT_ONCE]
        if ids.dtype.is_integer():
            mixed = some.cast(pl.Int64).to_numpy().view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
            for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
                mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        else:
            mixed = some.hash(0).to_numpy()
        buckets[start : start + _ROWS_AT_ONCE] = (mixed >> np.uint64(32)) % np.uint64(n)
    return buckets
