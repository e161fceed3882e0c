"""Logs and feature tables in canonical columns, out of tables with columns of any name."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import polars.selectors as cs
from pydantic import ConfigDict
from typing_extensions import TypedDict

from twotower.dataset.columns import (
    Place,
    ids,
    integers_where_exact,
    ratings,
)
from twotower.dataset.tables import Table
from twotower.dataset.timestamps import TimestampUnit, timestamps
from twotower.errors import ConfigError, DataError
from twotower.types import ITEM, RATING, TIMESTAMP, USER


class Columns(TypedDict):
    """What a source calls the columns of its log; None where it has no such column."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    user: str
    item: str
    timestamp: str | None
    rating: str | None


def named_columns(columns: Columns) -> list[tuple[str, str]]:
    """(name in the source, config key) of each mapped column. Raises ConfigError for a repeat."""
    named: list[tuple[str, str]] = []
    for field in ("user", "item", "timestamp", "rating"):
        name = columns[field]
        for other, key in named:
            if other == name:
                raise ConfigError(f"dataset.columns.{field} and {key} both name column {name!r}")
        if name is not None:
            named.append((name, f"dataset.columns.{field}"))
    return named


def map_log(
    tables: Sequence[Table], columns: Columns, unit: TimestampUnit, text_format: str | None
) -> pl.DataFrame:
    """One log with canonical columns. Raises DataError for the first value that does not fit."""
    mapped = [_mapped(table, columns, unit, text_format) for table in tables]
    return pl.concat(same_id_types(mapped))


def _mapped(
    table: Table, columns: Columns, unit: TimestampUnit, text_format: str | None
) -> pl.DataFrame:
    def place(name: str, field: str) -> Place:
        return Place(str(table.file), name, f"dataset.columns.{field}")

    user, item = columns["user"], columns["item"]
    series = {
        USER: _typed_ids(table, place(user, "user")),
        ITEM: _typed_ids(table, place(item, "item")),
    }
    if (name := columns["rating"]) is not None:
        series[RATING] = ratings(table.frame[name], place(name, "rating"))
    if (name := columns["timestamp"]) is not None:
        at = place(name, "timestamp")
        series[TIMESTAMP] = timestamps(table.frame[name], at, unit, text_format)
    return pl.DataFrame(series)


def map_features(
    tables: Sequence[Table], source: Place, key: str, title: str | None
) -> pl.DataFrame:
    """A feature table: the ids first, as column `key`, then everything else that the source has.

    source: the column of ids. title: the column that becomes `title`, or None.
    In a text file, columns with nothing but numbers become numbers; NaN becomes null everywhere.
    Raises DataError for a missing or repeated id and for two columns that claim one name.
    """
    renamed = {source.column: key} | ({title: "title"} if title is not None else {})
    frames = []
    for table in tables:
        frame = table.frame
        if table.is_text:
            others = [name for name in frame.columns if name != source.column]
            frame = frame.with_columns(_numbers_where_all(frame[name]) for name in others)
        frame = frame.with_columns(_typed_ids(table, source), cs.float().fill_nan(None))
        for old, new in renamed.items():
            if old != new and new in frame.columns:
                raise DataError(f"{table.file}: {old!r} is to become {new!r}, which is there too")
        frames.append(frame.rename(renamed).select(key, pl.exclude(key)))
    features = pl.concat(same_id_types(frames), how="diagonal_relaxed")
    repeated = features[key].is_duplicated()
    if repeated.any():
        source.refuse(repeated, features[key], "an id of another row", "keep one row an id")
    return features


def same_id_types(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """`frames` with user ids of one type, and item ids of one type: strings where they differ."""
    typed = list(frames)
    for key in (USER, ITEM):
        types = {frame[key].dtype for frame in frames if key in frame.columns}
        if len(types) > 1:
            text = pl.col(key).cast(pl.String)
            typed = [f.with_columns(text) if key in f.columns else f for f in typed]
    return typed


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
