"""Pretrained vectors of users and items: columns of lists of numbers, all of one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from twotower.core.errors import DataError
from twotower.core.remote import is_remote, local_copy
from twotower.dataset.columns import Place
from twotower.dataset.content import regular_file
from twotower.dataset.tables import Table, expanded

__all__ = ["checked_vectors", "with_arrays"]


def with_arrays(tables: Sequence[Table], arrays: Mapping[str, str], key: str) -> list[Table]:
    """Return feature tables with a column of vectors per NumPy file.

    Args:
        tables: The parts of a feature table, in the order of their rows.
        arrays: The .npy files, [rows of all parts, length] numbers each, by name of the column.
            Rows are in the order of the table's; a row of NaN is missing.
        key: The config key of `arrays`, for messages.

    Raises:
        DataError: A file cannot be read, or has other rows than the table.
    """
    found = list(tables)
    for name, path in arrays.items():
        array = _read(path, f"{key}.{name}", sum(table.frame.height for table in tables))
        start = 0
        for place, table in enumerate(found):
            if name in table.frame.columns:
                raise DataError(
                    f"{key}.{name}: {table.file} has a column {name!r} too; choose another name"
                )
            part = array[start : start + table.frame.height]
            start += table.frame.height
            known = ~np.isnan(part).all(1)
            column = pl.Series(name, part).cast(pl.List(pl.Float32)).set(pl.Series(~known), None)
            found[place] = Table(table.file, table.frame.with_columns(column), table.is_text)
    return found


def _read(path: str, key: str, n_rows: int) -> np.ndarray:
    if is_remote(path):
        with local_copy(path, key) as local:
            return _read_file(local, key, n_rows)
    return _read_file(expanded(path), key, n_rows)


def _read_file(file: Path, key: str, n_rows: int) -> np.ndarray:
    regular_file(file, key)
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{file} ({key}) cannot be read as a NumPy .npy file: {error}") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu":
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise DataError(f"{file} ({key}) holds {got}; expected numbers of shape [rows, length]")
    if len(array) != n_rows:
        raise DataError(
            f"{file} ({key}) has {len(array):,} rows, but the table of ids has {n_rows:,}; "
            "expected the same rows in the same order"
        )
    return array.astype(np.float32, copy=False)


def checked_vectors(features: pl.DataFrame, file: str) -> pl.DataFrame:
    """Return `features` with vectors as lists of floats, null where they are empty.

    Raises:
        DataError: Vectors of a column differ in length, or hold what is not a finite number.
    """
    for column in features:
        dtype = column.dtype
        if not isinstance(dtype, pl.List | pl.Array) or not dtype.inner.is_float():
            continue
        lists = column.cast(pl.List(dtype.inner))
        lengths = lists.list.len()
        lists = lists.set(lengths == 0, None)
        lengths = lengths.set(lengths == 0, None)
        place = Place(file, column.name, None)
        first = lengths.drop_nulls().head(1)
        if (odd := (lengths != first.item()).fill_null(False) if len(first) else first).any():
            place.refuse(odd, lengths, "a vector of another length", _expected(first.item()))
        finite = lists.list.eval(pl.element().is_finite().fill_null(False)).list.all()
        if (bad := ~finite.fill_null(True)).any():
            place.refuse(bad, lists, "a vector with no finite number", "correct these rows")
        features = features.with_columns(lists)
    return features


def _expected(length: int) -> str:
    return f"all vectors of a column must be as long as the first, {length}"
