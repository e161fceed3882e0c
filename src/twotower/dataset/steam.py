"""Steam: reviews of games, 2010 to 2018.

W.-C. Kang, J. McAuley, "Self-attentive sequential recommendation", ICDM 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions
from twotower.dataset.columns import Place
from twotower.dataset.content import read_content
from twotower.dataset.ids import integers_where_exact
from twotower.dataset.published import PublishedArchive, downloaded
from twotower.dataset.timestamps import TimeFormat, timestamps
from twotower.types import ITEM, TIMESTAMP, USER, Interactions

__all__ = ["Steam"]

# A line is a Python dict: strings in single quotes, or in double ones if they hold a single one.
_STRING = r"""u?(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")"""
_FIELDS = {USER: "username", ITEM: "product_id", TIMESTAMP: "date"}


@component
@dataclass(frozen=True)
class Steam(PublishedArchive):
    """Users by name, games by product id; a review is dated by its day."""

    def load(self) -> Interactions:
        """See Dataset."""
        return downloaded("Steam", [self.archive], self.cache_dir, _read, "steam")


def _read(paths: Sequence[Path], origin: str) -> Interactions:
    content = read_content(paths[0], "dataset.url")
    lines = pl.read_csv(
        content, separator="\x1f", has_header=False, quote_char=None, new_columns=["line"],
        infer_schema=False,
    ).to_series()  # fmt: skip
    columns = {field: _values(lines, name, paths[0]) for field, name in _FIELDS.items()}
    when = timestamps(columns[TIMESTAMP], Place(str(paths[0]), "date", None), TimeFormat("s", None))
    log = pl.DataFrame(
        {USER: columns[USER], ITEM: integers_where_exact(columns[ITEM]), TIMESTAMP: when}
    )
    return interactions(log=log, users=None, items=None, test=None, origin=origin)


def _values(lines: pl.Series, name: str, path: Path) -> pl.Series:
    """Return the strings of a key, one per line. Raise DataError for a line without it."""
    pattern = rf"[{{ ]u?'{name}': {_STRING}"
    values = lines.str.extract(pattern, 1)
    values = values.zip_with(values.is_not_null(), lines.str.extract(pattern, 2))
    if values.null_count():
        raise DataError(f"{path}: line {values.is_null().arg_true()[0] + 1} has no {name!r}")
    return values
