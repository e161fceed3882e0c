"""The file of `twotower recommend new_users=`: written as the log of the run was, or as asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import polars as pl
from pydantic import ConfigDict, PositiveInt
from typing_extensions import TypedDict

from twotower.dataset.mapping import Columns, map_log, named_columns, ordered
from twotower.dataset.tables import read_tables, require_columns
from twotower.dataset.text import TextFormat
from twotower.dataset.timestamps import TimeFormat
from twotower.types import ITEM, TIMESTAMP, USER

__all__ = ["AS_TRAINED", "AsTrained", "NewColumns", "read_new_users"]

AsTrained = Literal["as_trained"]
AS_TRAINED: AsTrained = "as_trained"

# What holds for runs on datasets that have no such key.
_NAMES = {"user": USER, "item": ITEM, "timestamp": TIMESTAMP}
_USUAL = {
    "timestamp_unit": "auto",
    "timestamp_format": None,
    "separator": None,
    "header": True,
    "quote": '"',
    "encoding": "utf-8",
}
_TEXT = ("separator", "header", "quote", "encoding")


class NewColumns(TypedDict):
    """What the columns of the file are called; see conf/recommend.yaml."""

    user: str | PositiveInt
    item: str | PositiveInt
    timestamp: str | PositiveInt | None


NewColumns.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]


def read_new_users(path: str, asked: Mapping[str, Any], trained: Mapping[str, Any]) -> pl.DataFrame:
    """Read `user_id`, `item_id` and, where known, `timestamp`; raise DataError as a dataset does.

    asked: the command's keys of `_USUAL`, and `columns`; `as_trained` takes what `trained` has.
    trained: the config node of the run's dataset.
    """
    written = {key: _one(asked[key], key, trained) for key in _USUAL}
    separator, header, quote, encoding = (written[key] for key in _TEXT)
    text = TextFormat(separator, header, quote, encoding, node="")
    tables = read_tables(path, "new_users", text, None)
    present = set.intersection(*(set(table.frame.columns) for table in tables))
    columns = _columns(asked["columns"], trained.get("columns") or {}, present)
    for table in tables:
        named = named_columns(columns, node="")
        require_columns(table.file, table.frame.columns, named, text if table.is_text else None)
    times = TimeFormat(written["timestamp_unit"], written["timestamp_format"], node="")
    return ordered(map_log(tables, columns, times), trained.get("order", "time"))


def _one(asked: Any, key: str, trained: Mapping[str, Any]) -> Any:
    if asked != AS_TRAINED:
        return asked
    value = trained.get(key, _USUAL[key])
    return value["log"] if isinstance(value, Mapping) else value  # one of each file


def _columns(asked: Mapping[str, Any], trained: Mapping[str, Any], present: set[str]) -> Columns:
    """Return the column names of the run's data if the file has them, else the canonical names.

    A file need not have timestamps, unless the command names their column.
    """
    columns: dict[str, Any] = {"rating": None}
    for field, usual in _NAMES.items():
        name = asked[field]
        if name == AS_TRAINED:
            name = trained.get(field) or usual
            if str(name) not in present and usual in present:
                name = usual
            if field == "timestamp" and str(name) not in present:
                name = None
        columns[field] = name
    return cast(Columns, columns)
