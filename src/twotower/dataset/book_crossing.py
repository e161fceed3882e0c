"""Book-Crossing: ratings of books, 0 (implicit) to 10, without times, 2004.

C.-N. Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions
from twotower.dataset.movielens import member
from twotower.dataset.published import PublishedArchive, downloaded
from twotower.types import ITEM, RATING, USER, Interactions

__all__ = ["BookCrossing"]

_RATING = r'^"(?<user>\d+)";"(?<item>.+)";"(?<rating>\d+)"$'
_USER = r'^"(?<user>\d+)";"(?<location>.*)";(?:"(?<age>\d+)"|NULL)$'
_BOOK = (
    r'^"(?<item>[^"]+)";"(?<title>.*?)";"(?<author>.*?)";"(?<year>\d+)";"(?<publisher>.*?)";"http'
)


@component
@dataclass(frozen=True)
class BookCrossing(PublishedArchive):
    """The CSV dump. Books and users whose line is malformed are without features."""

    def load(self) -> Interactions:
        """See Dataset."""
        return downloaded("Book-Crossing", [self.archive], self.cache_dir, _read, "book_crossing")


def _read(paths: Sequence[Path], origin: str) -> Interactions:
    with zipfile.ZipFile(paths[0]) as archive:
        lines = _lines(archive, "BX-Book-Ratings.csv")
        ratings = lines.str.extract_groups(_RATING).struct.unnest()
        if (bad := ratings["user"].is_null()).any():
            row = bad.arg_true()[0]
            raise DataError(
                f"BX-Book-Ratings.csv: line {row + 2} is no rating: {lines[row][:60]!r}"
            )
        users = _lines(archive, "BX-Users.csv").str.extract_groups(_USER).struct.unnest()
        books = _lines(archive, "BX-Books.csv").str.extract_groups(_BOOK).struct.unnest()
    log = ratings.select(
        pl.col("user").cast(pl.Int64).alias(USER),
        pl.col("item").str.strip_chars().alias(ITEM),
        pl.col("rating").cast(pl.Float64).alias(RATING),
    )
    users = users.drop_nulls("user").select(
        pl.col("user").cast(pl.Int64).alias(USER), pl.col("age").cast(pl.Int64), "location"
    )
    year = pl.col("year").cast(pl.Int64)
    items = books.drop_nulls("item").select(
        pl.col("item").str.strip_chars().alias(ITEM),
        "title",
        "author",
        pl.when(year > 0).then(year).alias("year"),
        "publisher",
    )
    return interactions(
        log=log,
        users=users.unique(USER, keep="first", maintain_order=True),
        items=items.unique(ITEM, keep="first", maintain_order=True),
        test=None,
        origin=origin,
    )


def _lines(archive: zipfile.ZipFile, name: str) -> pl.Series:
    """Return the lines of a member without its header, with HTML's ampersands as they are read."""
    text = member(archive, name).decode("latin-1").replace("\r", "").replace("&amp;", "&")
    return pl.Series([line for line in text.split("\n")[1:] if line], dtype=pl.String)
