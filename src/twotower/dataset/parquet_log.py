"""A Parquet log that is read in batches, for data larger than memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from twotower.core.errors import ConfigError, DataError
from twotower.core.remote import filesystem, is_remote
from twotower.dataset.canonical import sorted_log
from twotower.dataset.content import is_parquet
from twotower.dataset.digest import frames_digest
from twotower.dataset.mapping import Columns, Order, map_log, named_columns, ordered
from twotower.dataset.parquet_files import frame_of, parquet_errors, parquet_files
from twotower.dataset.tables import Table, expanded, require_columns
from twotower.dataset.timestamps import TimeFormat, resolved_unit

__all__ = ["AUTO_ROWS", "ParquetLog", "open_parquet_log"]

AUTO_ROWS = 50_000_000  # from here on streaming=auto streams
_ROWS_AT_ONCE = 1_000_000
_KEY = "dataset.path"


@dataclass(frozen=True)
class ParquetLog:
    """See LogStream.

    Attributes:
        files: Paths or URLs.
        columns: What the columns are called.
        times: How timestamps are written.
        order: See conf/dataset/file.yaml.
    """

    files: Sequence[str]
    columns: Columns
    times: TimeFormat
    order: Order
    users: pl.DataFrame | None
    items: pl.DataFrame | None
    n_rows: int
    origin: str
    digest: str

    def batches(self) -> Iterator[pl.DataFrame]:
        """See LogStream. Raises DataError for the first value that does not fit."""
        schema, done, times = None, 0, self.times
        for table in self._tables():
            times = self._settled(table, times)
            log = map_log([table], self.columns, times)
            if self.order == "file":
                log = ordered(log, "file")
                log = log.with_columns(pl.col(log.columns[-1]) + done)
            if schema not in (None, log.schema):
                raise DataError(
                    f"{table.file} ({_KEY}): columns have types {dict(log.schema)}, before "
                    f"{dict(schema or {})}; write ids and timestamps of all files alike"
                )
            schema, done = log.schema, done + len(log)
            yield log

    def in_order(self, log: pl.DataFrame) -> pl.DataFrame:
        """See LogStream."""
        return sorted_log(log)

    def _settled(self, table: Table, times: TimeFormat) -> TimeFormat:
        """Return the unit that the first batch shows, so that all batches are read alike."""
        name = self.columns["timestamp"]
        if name is None or times.unit != "auto":
            return times
        return replace(times, unit=resolved_unit(table.frame[str(name)], times))

    def _tables(self) -> Iterator[Table]:
        for file in self.files:
            with parquet_errors(file, _KEY), _opened(file) as opened:
                names = require_columns(
                    file, opened.schema_arrow.names, named_columns(self.columns)
                )
                row = 1
                for batch in opened.iter_batches(_ROWS_AT_ONCE, columns=names):
                    frame = frame_of(pa.Table.from_batches([batch]))
                    yield Table(file, frame.select(names), is_text=False, first_row=row)
                    row += len(frame)


def open_parquet_log(
    path: str,
    columns: Columns,
    times: TimeFormat,
    order: Order,
    users: pl.DataFrame | None,
    items: pl.DataFrame | None,
) -> ParquetLog:
    """Return the log at a path or URL.

    Raises:
        ConfigError: It is not Parquet.
        DataError: It cannot be read, or is empty.
    """
    files = _files(path)
    n_rows = 0
    for file in files:
        with parquet_errors(file, _KEY), _opened(file) as opened:
            n_rows += opened.metadata.num_rows
    if not n_rows:
        raise DataError(f"{path} ({_KEY}) is empty: it holds no row of data")
    log = ParquetLog(files, columns, times, order, users, items, n_rows, path, digest="")
    return replace(log, digest=_digest(log))


def _files(path: str) -> list[str]:
    if is_remote(path):
        store, root = filesystem(path, _KEY)
        found = sorted(store.find(root)) if store.isdir(root) else [root]
        files = [store.unstrip_protocol(each) for each in found]
    else:
        local = expanded(path)
        files = [str(f) for f in (parquet_files(local, _KEY) if local.is_dir() else [local])]
        if not local.is_dir() and local.is_file() and not is_parquet(local, _KEY):
            raise ConfigError(
                f"dataset.streaming: got true, but {path} ({_KEY}) is not Parquet; must be false, "
                "or convert the file: polars.scan_csv(path).sink_parquet(...)"
            )
    return [file for file in files if len(files) == 1 or file.lower().endswith(".parquet")]


def _opened(file: str) -> Any:
    if is_remote(file):
        store, inside = filesystem(file, _KEY)
        return parquet.ParquetFile(store.open(inside))
    return parquet.ParquetFile(file, page_checksum_verification=True)


def _digest(log: ParquetLog) -> str:
    """Return a digest of the bytes of the files, or of what a store knows of them, and columns."""
    digest = hashlib.sha256(json.dumps([log.columns, str(log.times), log.order]).encode())
    for file in log.files:
        if is_remote(file):
            store, inside = filesystem(file, _KEY)
            digest.update(str(store.ukey(inside)).encode())
        else:
            with Path(file).open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    digest.update(frames_digest({"users": log.users, "items": log.items}).encode())
    return digest.hexdigest()
