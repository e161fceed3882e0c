"""MovieLens 1M: a million ratings (1 to 5) of 3,706 films by 6,040 users, 2000 to 2003."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass

import polars as pl

from twotower.core.component import component
from twotower.dataset.movielens import (
    LOG_SCHEMA,
    USER_SCHEMA,
    MovieLensFrames,
    dated_log,
    from_archive,
    member,
    titled_items,
)
from twotower.dataset.published import PublishedArchive, load_cached
from twotower.types import ITEM, USER, Interactions

# Codes from 0 in users.dat, as documented in the archive's README.
_OCCUPATIONS = (
    *("other", "academic/educator", "artist", "clerical/admin", "college/grad student"),
    *("customer service", "doctor/health care", "executive/managerial", "farmer", "homemaker"),
    *("K-12 student", "lawyer", "programmer", "retired", "sales/marketing", "scientist"),
    *("self-employed", "technician/engineer", "tradesman/craftsman", "unemployed", "writer"),
)


@component
@dataclass(frozen=True)
class MovieLens1M(PublishedArchive):
    """From GroupLens' archive. A user's `age` is the lower end of a range (1: under 18)."""

    def load(self) -> Interactions:
        sources = [from_archive(self.archive, self.cache_dir, _read_archive)]
        return load_cached("MovieLens 1M", self.archive, self.cache_dir, None, sources)


def _read_archive(archive: zipfile.ZipFile) -> MovieLensFrames:
    text = pl.Schema(dict.fromkeys([ITEM, "title", "genres"], pl.String))
    items = _read_dat(archive, "movies.dat", text).with_columns(pl.col("genres").str.split("|"))
    order = [USER, "gender", "age", "occupation", "zip_code"]
    text = pl.Schema(dict.fromkeys(order, pl.String))
    code = pl.col("occupation").cast(pl.Int64)
    users = _read_dat(archive, "users.dat", text).with_columns(
        occupation=code.replace_strict(dict(enumerate(_OCCUPATIONS)), return_dtype=pl.String)
    )
    log = _read_dat(archive, "ratings.dat", LOG_SCHEMA)
    users = users.select(USER_SCHEMA.names()).cast(USER_SCHEMA)
    return MovieLensFrames(dated_log(log), users, titled_items(items))


def _read_dat(archive: zipfile.ZipFile, name: str, schema: pl.Schema) -> pl.DataFrame:
    """Read a Latin-1 file whose fields are separated by "::"; no title contains a tab."""
    content = member(archive, name).decode("latin-1").replace("::", "\t").encode()
    return pl.read_csv(content, separator="\t", has_header=False, quote_char=None, schema=schema)
