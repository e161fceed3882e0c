"""H&M: 32 million purchases of articles by 1.4 million customers, 2018 to 2020."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.core.component import component
from twotower.dataset.canonical import interactions
from twotower.dataset.columns import Place
from twotower.dataset.mapping import Columns, map_features, map_log, named_columns, same_id_types
from twotower.dataset.published import require_files
from twotower.dataset.tables import read_tables
from twotower.dataset.text import TextFormat
from twotower.dataset.timestamps import TimeFormat
from twotower.types import ITEM, USER, Interactions

__all__ = ["HAndM"]

_LOG, _USERS, _ITEMS = "transactions_train.csv", "customers.csv", "articles.csv"
_WHERE = (
    "download the data of https://www.kaggle.com/competitions/"
    "h-and-m-personalized-fashion-recommendations (an account and its rules are needed)"
)
_COLUMNS: Columns = {
    "user": "customer_id",
    "item": "article_id",
    "timestamp": "t_dat",
    "rating": None,
    "weight": None,
}
_TEXT = TextFormat(",", header=True, quote='"', encoding="utf-8", node=None)
_USER_FEATURES = ["customer_id", "age", "club_member_status", "fashion_news_frequency"]
_ITEM_FEATURES = [
    *("article_id", "prod_name", "product_type_name", "product_group_name"),
    *("graphical_appearance_name", "colour_group_name", "department_name", "index_name"),
    *("section_name", "garment_group_name"),
]


@component
@dataclass(frozen=True)
class HAndM:
    """The folder of Kaggle's competition; a purchase is dated by its day."""

    path: str

    def load(self) -> Interactions:
        """See Dataset."""
        folder = require_files(self.path, [_LOG, _USERS, _ITEMS], "H&M", _WHERE)
        tables = read_tables(str(folder / _LOG), "dataset.path", _TEXT, named_columns(_COLUMNS))
        log = map_log(tables, _COLUMNS, TimeFormat("auto", None))
        users = _features(folder / _USERS, USER, _USER_FEATURES, None)
        items = _features(folder / _ITEMS, ITEM, _ITEM_FEATURES, "prod_name")
        log, users, items = same_id_types([log, users, items])
        return interactions(log=log, users=users, items=items, test=None, origin=f"{folder}")


def _features(path: Path, key: str, names: list[str], title: str | None) -> pl.DataFrame:
    tables = read_tables(str(path), "dataset.path", _TEXT, [(name, None) for name in names])
    return map_features(tables, Place(str(path), names[0], None), key, title)
