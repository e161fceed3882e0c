"""Frames passed from Python: as Polars, and kept on disk under the digest of their content."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import polars.selectors as cs

from twotower.core.cache import Entry, cached
from twotower.core.errors import DataError
from twotower.core.frame_library import Library, library_of
from twotower.dataset.digest import frames_digest

__all__ = ["GivenFrames", "kept_frames"]

logger = logging.getLogger(__name__)

_LOGS = ("interactions", "test")
_DIGITS = 24


@dataclass(frozen=True)
class GivenFrames:
    """Data frames of pandas or Polars, as passed to `twotower.run`.

    Attributes:
        interactions: The log.
        test: Its test part, for a log that is split already; None otherwise.
        users, items: Features, one row per id; None if there are none.
    """

    interactions: Any
    test: Any = None
    users: Any = None
    items: Any = None

    @property
    def library(self) -> Library:
        """The library of `interactions`, pandas if it is neither."""
        return library_of(self.interactions) or "pandas"

    def keep(self, folder: Path, columns: Sequence[str]) -> str:
        """Write the frames to `folder`, unless frames of equal content are there, as one entry.

        Args:
            folder: The cache of frames.
            columns: The columns to keep of the logs; those of features are all kept.

        Returns:
            The digest of the content, which is the name of the entry. The library, an index and
            columns that are not kept have no part in it.

        Raises:
            DataError: A frame is missing, is no data frame, or has a column of an unknown type.
        """
        frames = {
            field.name: as_polars(given, field.name, columns if field.name in _LOGS else None)
            for field in fields(self)
            if (given := getattr(self, field.name)) is not None or field.name == "interactions"
        }
        digest = frames_digest(dict(frames))[:_DIGITS]
        cached(folder / digest, lambda: Entry(frames, {}))
        return digest


def kept_frames(folder: Path, digest: str) -> Mapping[str, pl.DataFrame | None]:
    """Return the frames that `GivenFrames.keep` wrote. Raise DataError if they are not there."""

    def missing() -> Entry:
        raise DataError(
            f"dataset.digest: got {digest!r}, but {folder} (dataset.frames_dir) holds no such "
            "frames; pass them again: twotower.run(interactions=frame)"
        )

    if not folder.is_dir():
        missing()
    return cached(folder / digest, missing).frames


def as_polars(given: Any, name: str, columns: Sequence[str] | None) -> pl.DataFrame:
    """Return a frame of either library as Polars, its index left out.

    Args:
        given: The frame.
        name: What messages call it.
        columns: The columns to convert, those that it lacks ignored; None for all.

    Raises:
        DataError: It is no data frame, or a column cannot be converted. The message names column
            and row.
    """
    if isinstance(given, pl.LazyFrame):
        raise DataError(f"{name}: got a LazyFrame; must be a DataFrame, as frame.collect() returns")
    if not isinstance(given, pl.DataFrame | pd.DataFrame):
        raise DataError(
            f"{name}: got {type(given).__name__}; must be a DataFrame of pandas or Polars"
        )
    names = [str(each) for each in given.columns]
    if repeated := sorted({each for each in names if names.count(each) > 1}):
        raise DataError(f"{name}: has several columns {repeated[0]!r}; rename all but one")
    places = [names.index(each) for each in (columns or names) if each in names]
    if isinstance(given, pl.DataFrame):
        kept = given[:, places]
    else:
        series = [_converted(given.iloc[:, place], name).alias(names[place]) for place in places]
        kept = pl.DataFrame(series)
    for values in kept:
        if values.dtype == pl.Object:
            raise DataError(f"{name}: column {values.name!r} has type Object, which cannot be read")
    return kept.with_columns(cs.decimal().cast(pl.Float64))


def _converted(values: pd.Series, name: str) -> pl.Series:
    try:
        return pl.Series(pl.from_pandas(values))
    except Exception as error:  # pyarrow and Polars raise many kinds
        raise DataError(f"{name}: column {str(values.name)!r} {_why_not(values, error)}") from error


def _why_not(values: pd.Series, error: Exception) -> str:
    """Explain why a column cannot be converted: most often its objects are of several types."""
    known = list(values.reset_index(drop=True).dropna().items())
    for row, value in known:
        first, other = type(known[0][1]).__name__, type(value).__name__
        if other != first:
            return (
                f"holds values of type {first} and, first in row {row} (counted from 0), of type "
                f"{other}: {value!r}; must be of one type, such as "
                f"frame[{str(values.name)!r}].astype(str)"
            )
    reason = str(error).partition("\n")[0]
    return f"has type {values.dtype}, which cannot be read: {reason}"
