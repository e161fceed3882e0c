"""Logs and feature tables in canonical columns, out of tables with columns of any name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import polars as pl
import polars.selectors as cs
from pydantic import ConfigDict, PositiveInt
from typing_extensions import TypedDict

from twotower.core.errors import ConfigError, DataError
from twotower.dataset.columns import Place, ratings, weights
from twotower.dataset.ids import ids, integers_where_exact
from twotower.dataset.lists import Lists
from twotower.dataset.tables import Table, require_columns
from twotower.dataset.timestamps import TimeFormat, timestamps
from twotower.dataset.vectors import checked_vectors
from twotower.types import FILE_ORDER, ITEM, RATING, TIMESTAMP, USER, WEIGHT

_TITLE = "title"  # of an item, wherever people read
NO_LISTS = Lists({})

logger = logging.getLogger(__name__)


class Columns(TypedDict):
    """What a source calls the columns of its log; None where it has no such column.

    A number is the place of a column, from 1, in a file without a header.
    """

    user: str | PositiveInt
    item: str | PositiveInt
    timestamp: str | PositiveInt | None
    rating: str | PositiveInt | None
    weight: str | PositiveInt | None


Columns.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]


def named_columns(columns: Columns, node: str = "dataset") -> list[tuple[str, str | None]]:
    """Return (name in the source, config key) per mapped column; raise ConfigError for a repeat."""
    prefix = f"{node}.columns" if node else "columns"
    named: list[tuple[str, str | None]] = []
    for field in ("user", "item", "timestamp", "rating", "weight"):
        value = columns.get(field)  # configs of older runs have no weight
        name = None if value is None else str(value)
        for other, key in named:
            if other == name:
                raise ConfigError(f"{prefix}.{field} and {key} both name column {name!r}")
        if name is not None:
            named.append((name, f"{prefix}.{field}"))
    return named


def of_test(columns: Columns) -> Columns:
    """Return the columns that a test part must have: weights are of training alone."""
    return {**columns, "weight": None}


Order = Literal["time", "file"]


def ordered(log: pl.DataFrame, order: Order) -> pl.DataFrame:
    """Add the line numbers to `log` if they are its order in time (`file`).

    They become a column of their own, or replace timestamps that the log does not have.
    """
    if order == "time":
        return log
    name = FILE_ORDER if TIMESTAMP in log.columns else TIMESTAMP
    return log.with_columns(pl.int_range(pl.len()).alias(name))


def map_log(tables: Sequence[Table], columns: Columns, times: TimeFormat) -> pl.DataFrame:
    """Return one log with canonical columns; raise DataError for the first wrong value."""
    mapped = [_mapped(table, columns, times) for table in tables]
    return pl.concat(same_id_types(mapped))


def _mapped(table: Table, columns: Columns, times: TimeFormat) -> pl.DataFrame:
    def place(field: str) -> Place:
        key = times.key(f"columns.{field}")
        return Place(str(table.file), str(columns.get(field)), key, table.first_row)

    series = {USER: _typed_ids(table, place("user")), ITEM: _typed_ids(table, place("item"))}
    if columns["rating"] is not None:
        at = place("rating")
        series[RATING] = ratings(table.frame[at.column], at)
    if columns["timestamp"] is not None:
        at = place("timestamp")
        series[TIMESTAMP] = timestamps(table.frame[at.column], at, times)
    if columns.get("weight") is not None:
        at = place("weight")
        series[WEIGHT] = weights(table.frame[at.column], at)
    return pl.DataFrame(series)


def map_features(
    tables: Sequence[Table],
    source: Place,
    key: str,
    title: str | None,
    lists: Lists = NO_LISTS,
) -> pl.DataFrame:
    """Return a feature table: the ids first, as column `key`, then all other columns.

    In a text file, columns that hold only numbers become numbers; NaN becomes null everywhere.

    Args:
        tables: what was read.
        source: the column of ids.
        key: the canonical name of that column.
        title: the column that is copied to `title`; None for none.
        lists: columns that hold several values in one field.

    Raises:
        DataError: an id is missing or repeated, or two columns claim one name.
    """
    frames = [_featured(table, source, key, title, lists) for table in tables]
    _refuse_other_columns(tables, frames)
    features = pl.concat(same_id_types(frames), how="diagonal_relaxed")
    repeated = features[key].is_duplicated()
    if repeated.any():
        source.refuse(repeated, features[key], "an id of another row", "keep one row an id")
    return features


def _featured(
    table: Table, source: Place, key: str, title: str | None, lists: Lists
) -> pl.DataFrame:
    file, present = str(table.file), table.frame.columns
    named = [(source.column, source.key)] + ([(title, "dataset.title")] if title else [])
    require_columns(table.file, present, named)
    if source.column != key and key in present:
        raise DataError(
            f"{file}: column {source.column!r} is to become {key!r}, and there is another column "
            "of that name; rename one of them"
        )
    if title not in (None, _TITLE) and _TITLE in present:
        raise DataError(
            f"{file}: dataset.title names column {title!r}, and there is another column 'title'; "
            "set dataset.title=title to read that one, or rename it"
        )
    checked = _typed_ids(table, replace(source, file=file)).alias(key)
    features = table.frame.drop(source.column)
    titles = [] if title in (None, _TITLE) else [table.frame[title].alias(_TITLE)]
    features = lists.split(file, features)
    if table.is_text:
        features = features.with_columns(_numbers_where_all(values) for values in features)
    features = checked_vectors(features.with_columns(cs.float().fill_nan(None)), file)
    return pl.DataFrame([checked, *features, *titles])


def _refuse_other_columns(tables: Sequence[Table], frames: Sequence[pl.DataFrame]) -> None:
    """Raise DataError where a part's column is of another kind than in the first; warn of gaps."""
    first = frames[0].schema
    for table, frame in zip(tables[1:], frames[1:], strict=True):
        for name, dtype in list(frame.schema.items())[1:]:
            known = first.get(name, dtype)
            if known != dtype and not (known.is_numeric() and dtype.is_numeric()):
                raise DataError(
                    f"{table.file}: column {name!r} has type {dtype}, in {tables[0].file} it has "
                    f"{known}; write it alike in all parts"
                )
        if differing := sorted(set(first) ^ set(frame.columns)):
            logger.warning(
                "%s and %s differ in the columns %s: null where they are missing",
                *(tables[0].file, table.file, ", ".join(differing)),
            )


def same_id_types(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Convert user ids to one type, and item ids to one type: strings where frames differ.

    The ids are the first two columns of a log and the first column of a feature table.
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
    values = table.frame[place.column]
    if table.is_text:  # most files: nothing else to check
        exact = integers_where_exact(values)
        if exact.dtype != pl.String and not exact.null_count():
            return exact
    checked = ids(values, place)
    return integers_where_exact(checked) if table.is_text else checked


def _numbers_where_all(values: pl.Series) -> pl.Series:
    """Numbers if every string is one; codes such as "01234" stay strings."""
    if values.dtype != pl.String:
        return values
    exact = integers_where_exact(values)
    if exact.dtype != pl.String or values.str.contains("^[+-]?0[0-9]").any():
        return exact
    numbers = values.cast(pl.Float64, strict=False)
    return numbers if numbers.null_count() == values.null_count() else values
