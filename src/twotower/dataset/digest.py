"""A content digest of frames that does not depend on files, library versions or machines."""

from __future__ import annotations

import hashlib

import polars as pl

from twotower.core.errors import DataError
from twotower.core.slices import slices


def frames_digest(frames: dict[str, pl.DataFrame | None]) -> str:
    """SHA-256 (hex) over the named frames: column names, types and values, in the order given."""
    digest = hashlib.sha256()
    for name, frame in frames.items():
        if frame is None:
            continue
        digest.update(f"frame {name} {frame.height}\n".encode())
        for series in frame:
            digest.update(f"column {series.name}\n".encode())
            _update(digest, series)
    return digest.hexdigest()


def _update(digest: hashlib._Hash, series: pl.Series) -> None:
    """Feed a type tag, the places of the nulls and the values as little-endian bytes."""
    series = _plain(series)
    digest.update(f"{series.dtype.base_type().__name__} {len(series)}\n".encode())
    for part in slices(series):
        digest.update(part.is_null().cast(pl.UInt8).to_numpy().data)
    if isinstance(series.dtype, pl.List):
        digest.update(series.list.len().fill_null(0).cast(pl.UInt32).to_numpy().data)
        _update(digest, pl.Series(values=series.to_arrow().flatten(), dtype=series.dtype.inner))
    elif series.dtype == pl.String:
        for part in slices(series):
            digest.update(part.str.len_bytes().fill_null(0).cast(pl.UInt32).to_numpy().data)
        for part in slices(series):
            digest.update("".join(part.drop_nulls()).encode())
    else:
        for part in slices(series):
            values = part.fill_null(0).to_numpy() + 0  # -0.0 becomes 0.0
            digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).data)


def _plain(series: pl.Series) -> pl.Series:
    """Widen to Int64, Float64, String or List, so that storage widths do not count."""
    dtype = series.dtype
    if dtype.is_integer() or dtype == pl.Boolean:
        return series.cast(pl.Int64)
    if dtype.is_float():
        return series.cast(pl.Float64)
    if isinstance(dtype, pl.Datetime | pl.Date):
        return series.cast(pl.Datetime("us")).cast(pl.Int64)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return series.cast(pl.String)
    if dtype == pl.String or isinstance(dtype, pl.List):
        return series
    raise DataError(
        f"column {series.name!r} has type {dtype}, which no feature can have; expected numbers, "
        "booleans, strings, dates, and lists of these"
    )
