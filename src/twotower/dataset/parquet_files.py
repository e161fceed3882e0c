"""The Parquet files of a directory, as Spark and Arrow see it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from twotower.core.errors import DataError

__all__ = ["parquet_files"]

logger = logging.getLogger(__name__)


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
