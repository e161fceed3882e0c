"""What the MovieLens datasets share: reading the archive and parsing titles.

F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from twotower.core.unpacking import unpacked
from twotower.dataset.cache import cache_root
from twotower.dataset.canonical import interactions
from twotower.dataset.columns import Place
from twotower.dataset.download import Archive
from twotower.dataset.published import Source, must_hold
from twotower.dataset.timestamps import TimeFormat, timestamps
from twotower.types import ITEM, RATING, TIMESTAMP, USER, Interactions

LOG_SCHEMA = pl.Schema({USER: pl.Int64, ITEM: pl.Int64, RATING: pl.Float64, TIMESTAMP: pl.Int64})
USER_SCHEMA = pl.Schema(
    {
        USER: pl.Int64,
        "age": pl.Int64,
        "gender": pl.String,
        "occupation": pl.String,
        "zip_code": pl.String,
    }
)


class MovieLensFrames(NamedTuple):
    """log: canonical columns; users: None where the release has none; items: see `titled_items`."""

    log: pl.DataFrame
    users: pl.DataFrame | None
    items: pl.DataFrame


Parse = Callable[[zipfile.ZipFile], MovieLensFrames]


def from_archive(archive: Archive, cache_dir: str | None, parse: Parse) -> Source:
    """Return the source that gets `archive` and reads it with `parse`."""

    def source(scratch: Path) -> Interactions:
        path, origin = archive.get(cache_root(cache_dir), scratch)
        return read_zip(path, parse, origin)

    return source


def read_zip(path: Path, parse: Parse, origin: str) -> Interactions:
    """Read a zip file with `parse`; raise SourceError if it is not MovieLens."""
    with must_hold("MovieLens", path), zipfile.ZipFile(path) as archive:
        frames = parse(archive)
    return interactions(**frames._asdict(), test=None, origin=origin)


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the bytes of the one file called `name`, in any folder; raise LookupError if none.

    Archives are never unpacked to disk, so that paths and links in them have no effect.
    """
    for entry in archive.infolist():
        path = entry.filename
        if Path(path).name == name and not path.startswith("__MACOSX"):
            with archive.open(entry) as stream:
                return unpacked(stream, entry.compress_size)
    raise LookupError(f"it holds no {name}")


def dated_log(log: pl.DataFrame) -> pl.DataFrame:
    """Convert the Unix seconds of `log` to a canonical timestamp."""
    place = Place("the archive", TIMESTAMP, None)
    return log.with_columns(timestamps(log[TIMESTAMP], place, TimeFormat("s", None)))


def titled_items(items: pl.DataFrame) -> pl.DataFrame:
    """Return ids, titles, `release_year` (the last "(1995)" of the title, or null) and `genres`."""
    year = pl.col("title").str.extract(r"^.*\((\d{4})\)").cast(pl.Int64)
    return items.with_columns(pl.col("title").str.strip_chars()).select(
        pl.col(ITEM).cast(pl.Int64), "title", year.alias("release_year"), "genres"
    )
