"""The user's own log: a text or Parquet file, or a directory of Parquet files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field, PositiveInt

from twotower.core.component import component, rule
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.dataset.canonical import interactions_of
from twotower.dataset.columns import Place
from twotower.dataset.lists import Lists
from twotower.dataset.mapping import (
    Columns,
    Order,
    map_features,
    map_log,
    named_columns,
    of_test,
    ordered,
)
from twotower.dataset.parquet_log import AUTO_ROWS, ParquetLog, open_parquet_log
from twotower.dataset.tables import read_tables
from twotower.dataset.text import TextFormat
from twotower.dataset.timestamps import TimeFormat, TimestampUnit
from twotower.dataset.vectors import with_arrays
from twotower.types import ITEM, USER, Interactions

Part = Literal["log", "users", "items"]

logger = logging.getLogger(__name__)


@component
@dataclass(frozen=True)
class LogFile:
    """A log with columns of any name and ids of any type, already split or not."""

    path: str
    test_path: str | None
    users_path: str | None
    items_path: str | None
    columns: Columns
    title: str | PositiveInt | None
    lists: dict[str | PositiveInt, Annotated[str, Field(min_length=1)]]
    users_vectors: dict[str, str]
    items_vectors: dict[str, str]
    separator: dict[Part, str | None] | str | None
    header: dict[Part, bool] | bool
    quote: dict[Part, str | None] | str | None
    encoding: dict[Part, str] | str
    timestamp_unit: TimestampUnit
    timestamp_format: str | None
    order: Order
    streaming: bool | Literal["auto"]

    @staticmethod
    @rule
    def a_streamed_log_is_whole(
        streaming: bool | Literal["auto"], test_path: str | None, columns: Columns
    ) -> Iterator[ErrorEntry]:
        """Yield an error for what is not read in batches."""
        if streaming is not True:
            return
        wrong, valid = "which dataset.streaming=true does not read", "must be null"
        if test_path is not None:
            yield ErrorEntry("test_path", test_path, wrong, valid)
        if columns.get("weight") is not None:
            yield ErrorEntry("columns.weight", columns["weight"], wrong, valid)

    def __post_init__(self) -> None:
        """Raise ConfigError for text files that cannot be written so, and vectors without ids."""
        for part in self._parts:
            self.text(part)
        for name, arrays in (("users", self.users_vectors), ("items", self.items_vectors)):
            if arrays and name not in self._parts:
                raise ConfigError(
                    f"dataset.{name}_vectors: got {arrays}, but dataset.{name}_path is null; it "
                    "must name the file of the ids that the rows belong to"
                )

    @property
    def _parts(self) -> list[Part]:
        features: dict[Part, str | None] = {"users": self.users_path, "items": self.items_path}
        return ["log", *(part for part, path in features.items() if path is not None)]

    def text(self, part: Part) -> TextFormat:
        """Return the format of the text file of `part`; the test part has the format of the log."""

        def of(key: str) -> Any:
            value = getattr(self, key)
            if isinstance(value, dict) and part not in value:
                raise ConfigError(
                    f"dataset.{key}: got {value}, which has no value for {part}; must be one "
                    f"value, or one for each of {', '.join(self._parts)}"
                )
            return value[part] if isinstance(value, dict) else value

        return TextFormat(of("separator"), of("header"), of("quote"), of("encoding"))

    def load(self) -> Interactions:
        """Read the files; raise DataError for the first file, column or value that is unusable."""
        frames = {"log": self._log(self.path, "dataset.path", self.columns)}
        if self.test_path is not None:
            columns = of_test(self.columns)
            frames["test"] = self._log(self.test_path, "dataset.test_path", columns)
        lists = Lists({str(name): mark for name, mark in self.lists.items()})
        for part, features in (("users", self._users(lists)), ("items", self._items(lists))):
            if features is not None:
                frames[part] = features
        lists.refuse_unused()
        origin = " and ".join(filter(None, [self.path, self.test_path]))
        return interactions_of(frames, origin=origin, sources=self._sources())

    def stream(self) -> ParquetLog | None:
        """Return the log as batches, or None where `load` reads it.

        Raises:
            ConfigError: The log is to be streamed and is not Parquet.
            DataError: See `load`.
        """
        parquet = self.path.lower().endswith(".parquet") or not Path(self.path).suffix
        whole = not parquet or self.test_path is not None or self.columns.get("weight") is not None
        if self.streaming is False or (self.streaming == "auto" and whole):
            return None
        lists = Lists({str(name): mark for name, mark in self.lists.items()})
        users, items = self._users(lists), self._items(lists)
        lists.refuse_unused()
        times = TimeFormat(self.timestamp_unit, self.timestamp_format)
        log = open_parquet_log(self.path, self.columns, times, self.order, users, items)
        if self.streaming == "auto" and log.n_rows < AUTO_ROWS:
            logger.info(
                "dataset.streaming=auto: %s rows are read into memory; from %s on they would be "
                "streamed from disk",
                *(f"{log.n_rows:,}", f"{AUTO_ROWS:,}"),
            )
            return None
        return log

    def _users(self, lists: Lists) -> pl.DataFrame | None:
        if self.users_path is None:
            return None
        return self._features(self.users_path, "users", USER, None, lists)

    def _items(self, lists: Lists) -> pl.DataFrame | None:
        if self.items_path is None:
            return None
        title = None if self.title is None else str(self.title)
        return self._features(self.items_path, "items", ITEM, title, lists)

    def _sources(self) -> dict[str, str]:
        files = {
            "log": (self.path, "path"),
            "test": (self.test_path, "test_path"),
            "users": (self.users_path, "users_path"),
            "items": (self.items_path, "items_path"),
        }
        return {part: f"{file} (dataset.{key})" for part, (file, key) in files.items() if file}

    def _log(self, path: str, key: str, columns: Columns) -> pl.DataFrame:
        tables = read_tables(path, key, self.text("log"), named_columns(columns))
        times = TimeFormat(self.timestamp_unit, self.timestamp_format)
        return ordered(map_log(tables, columns, times), self.order)

    def _features(
        self, path: str, part: Part, canonical: str, title: str | None, lists: Lists
    ) -> pl.DataFrame:
        tables = read_tables(path, f"dataset.{part}_path", self.text(part), None)
        arrays = self.users_vectors if part == "users" else self.items_vectors
        tables = with_arrays(tables, arrays, f"dataset.{part}_vectors")
        name = str(self.columns["user" if part == "users" else "item"])
        place = Place(path, name, f"dataset.columns.{part.removesuffix('s')}")
        return map_features(tables, place, canonical, title, lists)
