"""The Parquet files of a directory, as Spark and Arrow see it, and what reading one may raise."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa

from twotower.core.errors import DataError

__all__ = ["POLARS_ERRORS", "frame_of", "parquet_errors", "parquet_files"]

POLARS_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)  # no Exception

logger = logging.getLogger(__name__)


@contextmanager
def parquet_errors(file: Path | str, key: str) -> Iterator[None]:
    """Raise DataError, which names `file` and `key`, in place of what a damaged file raises."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, *POLARS_ERRORS) as error:
        raise DataError(f"{file} ({key}) cannot be read: {error}") from error


def frame_of(table: pa.Table) -> pl.DataFrame:
    """Return a table of a file that may be damaged; Arrow's errors can be caught, while Polars
    panics."""
    table.validate(full=True)
    fields = [field.remove_metadata() for field in table.schema]  # of which Polars may panic
    return pl.DataFrame(pl.from_arrow(pa.table(table.columns, schema=pa.schema(fields))))


def parquet_files(root: Path, key: str) -> list[Path]:
    """Files called *.parquet below `root`, each once, in order of name.

    Names that begin with `_` or `.` are skipped with all below them, as they are markers and
    leftovers of the writer; not so a partition such as `_day=1`. Raises DataError if no file is
    left, and where a directory cannot be listed.
    """
    found: dict[str, Path] = {}
    other: list[Path] = []
    for file in sorted(_visible(root, key, {os.path.realpath(root)})):
        if file.suffix.lower() == ".parquet":
            found.setdefault(os.path.realpath(file), file)
        else:
            other.append(file)
    if not found:
        there = f"; it has {', '.join(file.name for file in other[:5])}" if other else ""
        raise DataError(
            f"{root} ({key}) is a directory without a .parquet file in it{there}; name a single "
            "file to read text"
        )
    if other:
        names = ", ".join(str(file) for file in other[:5])
        logger.warning("%s (%s): skipped what is not called *.parquet: %s", root, key, names)
    return list(found.values())


def _visible(folder: Path, key: str, known: set[str]) -> Iterator[Path]:
    """Everything below `folder` but directories; `known`: those that were entered, for links."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} ({key}) cannot be listed: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith(".") or (entry.name.startswith("_") and "=" not in entry.name):
            continue
        path = Path(entry.path)
        if not entry.is_dir():
            yield path
        elif (real := os.path.realpath(path)) not in known:
            known.add(real)
            yield from _visible(path, key, known)
