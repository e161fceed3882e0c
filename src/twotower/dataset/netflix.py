"""Netflix Prize: 100 million ratings (1 to 5) of 17,770 films by 480,189 users, 1999 to 2005.

J. Bennett, S. Lanning, "The Netflix Prize", KDD Cup and Workshop 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions
from twotower.dataset.columns import Place
from twotower.dataset.content import read_content
from twotower.dataset.published import require_files
from twotower.dataset.timestamps import TimeFormat, timestamps
from twotower.types import ITEM, RATING, TIMESTAMP, USER, Interactions

__all__ = ["NetflixPrize"]

_LOGS = tuple(f"combined_data_{part}.txt" for part in range(1, 5))
_TITLES = "movie_titles.csv"
_WHERE = (
    "download netflix-inc/netflix-prize-data from https://www.kaggle.com/datasets (an account is "
    "needed)"
)


@component
@dataclass(frozen=True)
class NetflixPrize:
    """The folder of Kaggle's copy: ratings in four files, a block per film, and titles."""

    path: str

    def load(self) -> Interactions:
        """See Dataset."""
        folder = require_files(self.path, [*_LOGS, _TITLES], "Netflix Prize", _WHERE)
        log = pl.concat(_ratings(folder / name) for name in _LOGS)
        items = _films(folder / _TITLES)
        return interactions(log=log, users=None, items=items, test=None, origin=f"{folder}")


def _ratings(path: Path) -> pl.DataFrame:
    """Return the ratings of a file: lines `film:`, each followed by lines `user,rating,date`."""
    lines = _lines(path, "utf-8")
    film = lines.str.extract(r"^(\d+):$").cast(pl.Int64)
    fields = lines.str.extract_groups(r"^(?<user>\d+),(?<rating>[1-5]),(?<date>\d{4}-\d\d-\d\d)$")
    frame = pl.DataFrame({ITEM: film.forward_fill(), "is_film": film.is_not_null()}).hstack(
        fields.struct.unnest()
    )
    bad = ~frame["is_film"] & (frame["user"].is_null() | frame[ITEM].is_null())
    if bad.any():
        row = bad.arg_true()[0]
        raise DataError(
            f"{path}: line {row + 1}: {lines[row][:60]!r}; expected 'film:' or 'user,rating,date'"
        )
    frame = frame.filter(~pl.col("is_film"))
    when = timestamps(frame["date"], Place(str(path), "date", None), TimeFormat("auto", None))
    return frame.select(
        pl.col("user").cast(pl.Int64).alias(USER),
        ITEM,
        pl.col("rating").cast(pl.Float64).alias(RATING),
        when.alias(TIMESTAMP),
    )


def _films(path: Path) -> pl.DataFrame:
    """Return `item_id`, `release_year` and `title`, which may hold commas."""
    fields = _lines(path, "latin-1").str.extract_groups(
        r"^(?<id>\d+),(?<year>\d{4}|NULL),(?<title>.+)$"
    )
    return fields.struct.unnest().select(
        pl.col("id").cast(pl.Int64).alias(ITEM),
        pl.col("year").cast(pl.Int64, strict=False).alias("release_year"),
        "title",
    )


def _lines(path: Path, encoding: str) -> pl.Series:
    text = read_content(path, "dataset.path").decode(encoding).replace("\r", "")
    return pl.Series([line for line in text.split("\n") if line], dtype=pl.String)
