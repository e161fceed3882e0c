"""A digest of what frames hold, independent of how Polars or Parquet lays them out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl


def digest_of(frames: Iterable[pl.DataFrame | None]) -> str:
    """SHA-256 (hex) over the names, types and values of the columns, in order; None counts too."""
    digest = hashlib.sha256()
    for frame in frames:
        digest.update(b"absent" if frame is None else f"{frame.shape}".encode())
        for series in () if frame is None else frame.get_columns():
            digest.update(f"{series.name}:{series.dtype}".encode())
            for values in _buffers(series):
                digest.update(values)
    return digest.hexdigest()


def _buffers(series: pl.Series) -> Iterable[bytes]:
    yield series.is_null().to_numpy().tobytes()
    values = series.drop_nulls()
    if series.dtype.is_numeric() or series.dtype.is_temporal():
        yield values.to_physical().to_numpy().tobytes()
    else:
        text = values.cast(pl.String)
        yield text.str.len_bytes().to_numpy().tobytes()
        yield "".join(text).encode()
