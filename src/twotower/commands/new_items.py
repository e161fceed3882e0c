"""The file of `twotower recommend items_path=`: items added after training, with their features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from twotower.dataset.columns import Place
from twotower.dataset.lists import Lists
from twotower.dataset.mapping import map_features
from twotower.dataset.tables import read_tables
from twotower.dataset.text import TextFormat
from twotower.types import ITEM

__all__ = ["read_new_items"]

_KEY = "items_path"
_TITLE = "title"


def read_new_items(path: str, trained: Mapping[str, Any]) -> pl.DataFrame:
    """Return `item_id` and features, read as the items of the run's dataset were.

    Args:
        path: A CSV, TSV or Parquet file.
        trained: The config node of the run's dataset.

    Raises:
        DataError: The file cannot be read, or has no column of ids.
    """

    def written(key: str, usual: Any) -> Any:
        value = trained.get(key, usual)
        return value.get("items", usual) if isinstance(value, Mapping) else value

    text = TextFormat(
        written("separator", None),
        written("header", True),
        written("quote", '"'),
        written("encoding", "utf-8"),
        node="",
    )
    tables = read_tables(path, _KEY, text, None)
    present = set.intersection(*(set(table.frame.columns) for table in tables))
    name = str((trained.get("columns") or {}).get("item", ITEM))
    title = trained.get(_TITLE)
    separators = {key: mark for key, mark in (trained.get("lists") or {}).items() if key in present}
    return map_features(
        tables,
        Place(path, name if name in present else ITEM, None),
        ITEM,
        str(title) if title is not None and str(title) in present else None,
        Lists({str(key): mark for key, mark in separators.items()}),
    )
