"""Logs and feature tables in canonical columns, out of tables with columns of any name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import polars as pl
import polars.selectors as cs
from pydantic import ConfigDict
from typing_extensions import TypedDict

from twotower.dataset.columns import Place, ratings
from twotower.dataset.ids import ids, integers_where_exact
from twotower.dataset.tables import Table, require_columns
from twotower.dataset.timestamps import TimeFormat, timestamps
from twotower.errors import ConfigError, DataError
from twotower.types import FILE_ORDER, ITEM, RATING, TIMESTAMP, USER


class Columns(TypedDict):
    """What a source calls the columns of its log; None where it has no such column."""

    user: str
    item: str
    timestamp: str | None
    rating: str | None


Columns.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]


def named_columns(columns: Columns) -> list[tuple[str, str | None]]:
    """(name in the source, config key) of each mapped column. Raises ConfigError for a repeat."""
    named: list[tuple[str, str | None]] = []
    for field in ("user", "item", "timestamp", "rating"):
        name = columns[field]
        for other, key in named:
            if other == name:
                raise ConfigError(f"dataset.columns.{field} and {key} both name column {name!r}")
        if name is not None:
            named.append((name, f"dataset.columns.{field}"))
    return named


Order = Literal["time", "file"]


def ordered(log: pl.DataFrame, order: Order) -> pl.DataFrame:
    """`log` with the places of its lines, where they are its order in time (`file`): as a column of
    their own, or in place of timestamps that it lacks."""
    if order == "time":
        return log
    name = FILE_ORDER if TIMESTAMP in log.columns else TIMESTAMP
    return log.with_columns(pl.int_range(pl.len()).alias(name))


def map_log(tables: Sequence[Table], columns: Columns, times: TimeFormat) -> pl.DataFrame:
    """One log with canonical columns. Raises DataError for the first value that does not fit."""
    mapped = [_mapped(table, columns, times) for table in tables]
    return pl.concat(same_id_types(mapped))


def _mapped(table: Table, columns: Columns, times: TimeFormat) -> pl.DataFrame:
    def place(name: str, field: str) -> Place:
        return Place(str(table.file), name, times.key(f"columns.{field}"))

    user, item = columns["user"], columns["item"]
    series = {
        USER: _typed_ids(table, place(user, "user")),
        ITEM: _typed_ids(table, place(item, "item")),
    }
    if (name := columns["rating"]) is not None:
        series[RATING] = ratings(table.frame[name], place(name, "rating"))
    if (name := columns["timestamp"]) is not None:
        at = place(name, "timestamp")
        series[TIMESTAMP] = timestamps(table.frame[name], at, times)
    return pl.DataFrame(series)


def map_features(
    tables: Sequence[Table], source: Place, key: str, title: str | None
) -> pl.DataFrame:
    """A feature table: the ids first, as column `key`, then everything else that the source has.

    source: the column of ids. title: the column that becomes `title`, or None.
    In a text file, columns with nothing but numbers become numbers; NaN becomes null everywhere.
    Raises DataError for a missing or repeated id and for two columns that claim one name.
    """
    frames = [_featured(table, source, key, title) for table in tables]
    features = pl.concat(same_id_types(frames), how="diagonal_relaxed")
    repeated = features[key].is_duplicated()
    if repeated.any():
        source.refuse(repeated, features[key], "an id of another row", "keep one row an id")
    return features


def _featured(table: Table, source: Place, key: str, title: str | None) -> pl.DataFrame:
    named = [(source.column, source.key)] + ([(title, "dataset.title")] if title else [])
    require_columns(table.file, table.frame.columns, named)
    renamed = {source.column: key} | ({title: "title"} if title else {})
    for old, new in renamed.items():
        if old != new and new in table.frame.columns:
            raise DataError(
                f"{table.file}: column {old!r} is to become {new!r}, and there is another column "
                "of that name; rename one of them"
            )
    checked = _typed_ids(table, replace(source, file=str(table.file)))
    features = table.frame.drop(source.column)
    if table.is_text:
        features = features.with_columns(_numbers_where_all(values) for values in features)
    frame = features.with_columns(cs.float().fill_nan(None)).insert_column(0, checked)
    return frame.rename(renamed)


def same_id_types(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """`frames` with user ids of one type, and item ids of one type: strings where they differ.

    The ids are the first two columns of a log and the first of a feature table.
    """
    typed = list(frames)
    for key in (USER, ITEM):
        holders = [index for index, frame in enumerate(frames) if key in _id_columns(frame)]
        if len({frames[index][key].dtype for index in holders}) > 1:
            for index in holders:
                typed[index] = typed[index].with_columns(pl.col(key).cast(pl.String))
    return typed


def _id_columns(frame: pl.DataFrame) -> list[str]:
    return frame.columns[:2] if frame.columns[:2] == [USER, ITEM] else frame.columns[:1]


def _typed_ids(table: Table, place: Place) -> pl.Series:
    checked = ids(table.frame[place.column], place)
    return integers_where_exact(checked) if table.is_text else checked


def _numbers_where_all(values: pl.Series) -> pl.Series:
    """Numbers if every string is one; codes such as "01234" stay strings."""
    exact = integers_where_exact(values)
    if exact.dtype != pl.String or values.str.contains("^[+-]?0[0-9]").any():
        return exact
    numbers = values.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == values.null_count() else values
