"""The user's own log: a text or Parquet file, or a directory of Parquet files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import Field

from twotower.dataset.canonical import interactions
from twotower.dataset.columns import Place
from twotower.dataset.mapping import (
    Columns,
    Order,
    map_features,
    map_log,
    named_columns,
    ordered,
    same_id_types,
)
from twotower.dataset.tables import read_tables
from twotower.dataset.timestamps import TimeFormat, TimestampUnit
from twotower.types import ITEM, USER, Interactions


@dataclass(frozen=True)
class LogFile:
    """A log with columns of any name and ids of any type, already split or not."""

    path: str
    test_path: str | None
    users_path: str | None
    items_path: str | None
    columns: Columns
    title: str | None
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None
    timestamp_unit: TimestampUnit
    timestamp_format: str | None
    order: Order

    def load(self) -> Interactions:
        """Raises DataError for the first file, column or value that cannot be used."""
        frames = {"log": self._log(self.path, "dataset.path")}
        if self.test_path is not None:
            frames["test"] = self._log(self.test_path, "dataset.test_path")
        if self.users_path is not None:
            frames["users"] = self._features(self.users_path, "users", "user", USER, None)
        if self.items_path is not None:
            frames["items"] = self._features(self.items_path, "items", "item", ITEM, self.title)
        typed = dict(zip(frames, same_id_types(list(frames.values())), strict=True))
        return interactions(
            log=typed["log"],
            users=typed.get("users"),
            items=typed.get("items"),
            test=typed.get("test"),
            sources=self._sources(),
            origin=" and ".join(filter(None, [self.path, self.test_path])),
        )

    def _sources(self) -> dict[str, str]:
        files = {
            "log": (self.path, "path"),
            "test": (self.test_path, "test_path"),
            "users": (self.users_path, "users_path"),
            "items": (self.items_path, "items_path"),
        }
        return {part: f"{file} (dataset.{key})" for part, (file, key) in files.items() if file}

    def _log(self, path: str, key: str) -> pl.DataFrame:
        tables = read_tables(path, key, self.separator, named_columns(self.columns))
        times = TimeFormat(self.timestamp_unit, self.timestamp_format)
        return ordered(map_log(tables, self.columns, times), self.order)

    def _features(
        self, path: str, part: str, field: str, canonical: str, title: str | None
    ) -> pl.DataFrame:
        tables = read_tables(path, f"dataset.{part}_path", self.separator, None)
        name: str = self.columns[field]  # type: ignore[literal-required]
        place = Place(path, name, f"dataset.columns.{field}")
        return map_features(tables, place, canonical, title)
