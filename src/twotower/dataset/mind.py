"""MIND: clicks on news, 2019.

F. Wu et al., "MIND: a large-scale dataset for news recommendation", ACL 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions
from twotower.dataset.columns import Place
from twotower.dataset.published import require_files
from twotower.dataset.text import TextFormat, read_text
from twotower.dataset.timestamps import TimeFormat, timestamps
from twotower.types import ITEM, TIMESTAMP, USER, Interactions

__all__ = ["Mind"]

_LOG, _NEWS = "behaviors.tsv", "news.tsv"
_WHERE = "download MIND from https://msnews.github.io after accepting its licence"
_TEXT = TextFormat("\t", header=False, quote=None, encoding="utf-8", node=None)


@component
@dataclass(frozen=True)
class Mind:
    """The folder of one part, such as MINDsmall_train: the clicks of its impressions.

    A click has the time of its impression. The history in front of the impressions has no times and
    is not read, nor is news that was shown and not clicked.
    """

    path: str

    def load(self) -> Interactions:
        """See Dataset."""
        folder = require_files(self.path, [_LOG, _NEWS], "MIND", _WHERE)
        items = _news(folder / _NEWS)
        return interactions(
            log=_clicks(folder / _LOG), users=None, items=items, test=None, origin=f"{folder}"
        )


def _clicks(path: Path) -> pl.DataFrame:
    lines = read_text(path, "dataset.path", _TEXT, "\t")
    if lines.width != 5:
        raise DataError(
            f"{path}: expected five columns (impression, user, time, history, impressions), got "
            f"{lines.width}"
        )
    place = Place(str(path), "3", None)
    when = timestamps(lines["3"], place, TimeFormat("auto", "%m/%d/%Y %I:%M:%S %p"))
    shown = lines["5"].str.split(" ").alias(ITEM)
    log = pl.DataFrame([lines["2"].alias(USER), shown, when.alias(TIMESTAMP)])
    log = log.explode(ITEM, empty_as_null=True, keep_nulls=True).drop_nulls(ITEM)
    marked = log[ITEM].str.contains(r"^\w+-[01]$")
    if not marked.all():
        raise DataError(
            f"{path}: the impression {log[ITEM][(~marked).arg_true()[0]]!r} is not marked as "
            "clicked (-1) or not (-0); the test part of MIND has no clicks"
        )
    clicked = log.filter(pl.col(ITEM).str.ends_with("-1"))
    return clicked.with_columns(pl.col(ITEM).str.head(-2))


def _news(path: Path) -> pl.DataFrame:
    news = read_text(path, "dataset.path", _TEXT, "\t")
    if news.width < 5:
        raise DataError(
            f"{path}: expected news, category, subcategory, title, abstract and more, got "
            f"{news.width} columns"
        )
    named = {"1": ITEM, "2": "category", "3": "subcategory", "4": "title", "5": "abstract"}
    return news.select(*named).rename(named)
