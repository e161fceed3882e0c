"""Pandas or Polars: which of them a caller uses, and results in the same library."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl

__all__ = ["Library", "in_library", "library_of"]

Library = Literal["pandas", "polars"]


def library_of(given: object) -> Library | None:
    """Return the library of a frame, series or index; None for any other object."""
    if isinstance(given, pl.DataFrame | pl.LazyFrame | pl.Series):
        return "polars"
    modules = {each.__module__.partition(".")[0] for each in type(given).__mro__}
    return "pandas" if "pandas" in modules else None


def in_library(frame: pl.DataFrame, library: Library) -> Any:
    """Return `frame` as a data frame of `library`."""
    return frame.to_pandas() if library == "pandas" else frame
