"""The MovieLens releases in CSV: 20M, 25M and the small extract of the latest."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import polars as pl

from twotower.core.component import component
from twotower.dataset.movielens import (
    MovieLensFrames,
    dated_log,
    from_archive,
    member,
    titled_items,
)
from twotower.dataset.published import PublishedArchive, load_cached
from twotower.types import ITEM, RATING, TIMESTAMP, USER, Interactions

_LOG_TYPES = {
    "userId": pl.Int64,
    "movieId": pl.Int64,
    "rating": pl.Float64,
    "timestamp": pl.Int64,
}
_LOG_NAMES = {"userId": USER, "movieId": ITEM, "rating": RATING, "timestamp": TIMESTAMP}


@component
@dataclass(frozen=True)
class MovieLensCsv(PublishedArchive):
    """From GroupLens' archive, whichever one `url` names; these releases know no user features."""

    def load(self) -> Interactions:
        sources = [from_archive(self.archive, self.cache_dir, _read_archive)]
        return load_cached(
            f"MovieLens {self.archive.stem}", self.archive, self.cache_dir, None, sources
        )


def _read_archive(archive: zipfile.ZipFile) -> MovieLensFrames:
    log = pl.read_csv(member(archive, "ratings.csv"), schema_overrides=_LOG_TYPES)
    films = pl.read_csv(member(archive, "movies.csv"), infer_schema=False)
    genres = pl.col("genres").replace("(no genres listed)", None)
    items = films.select(
        pl.col("movieId").alias(ITEM), "title", genres=genres.str.split("|").fill_null([])
    )
    return MovieLensFrames(dated_log(log.rename(_LOG_NAMES)), None, titled_items(items))
