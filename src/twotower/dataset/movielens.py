"""What the MovieLens datasets share: reading the archive and parsing titles.

F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl

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
    """The source that gets `archive` and has `parse` read it."""

    def source(scratch: Path) -> Interactions:
        path, origin = archive.get(cache_root(cache_dir), scratch)
        return read_zip(path, parse, origin)

    return source


def read_zip(path: Path, parse: Parse, origin: str) -> Interactions:
    """What `parse` reads out of a zip file. Raises SourceError if that is not MovieLens."""
    with must_hold("MovieLens", path), zipfile.ZipFile(path) as archive:
        frames = parse(archive)
    return interactions(**frames._asdict(), test=None, origin=origin)


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of the one file called `name`, in whatever folder. Raises LookupError."""
    for path in archive.namelist():
        if Path(path).name == name and not path.startswith("__MACOSX"):
            return archive.read(path)
    raise LookupError(f"it holds no {name}")


def dated_log(log: pl.DataFrame) -> pl.DataFrame:
    """`log` with its Unix seconds turned into a canonical timestamp."""
    place = Place("the archive", TIMESTAMP, None)
    return log.with_columns(timestamps(log[TIMESTAMP], place, TimeFormat("s", None)))


def titled_items(items: pl.DataFrame) -> pl.DataFrame:
    """`item_id`, `title`, `release_year` (the last "(1995)" of the title, or null), `genres`."""
    year = pl.col("title").str.extract(r"^.*\((\d{4})\)").cast(pl.Int64)
    return items.with_columns(pl.col("title").str.strip_chars()).select(
        pl.col(ITEM).cast(pl.Int64), "title", year.alias("release_year"), "genres"
    )
