"""Interactions passed from Python as data frames of pandas or Polars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions_of
from twotower.dataset.columns import Place
from twotower.dataset.given_frames import kept_frames
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
from twotower.dataset.tables import Table, require_columns
from twotower.dataset.timestamps import TimeFormat, TimestampUnit
from twotower.types import ITEM, USER, Interactions

__all__ = ["FrameDataset"]

_FIRST_ROW = 0  # rows of frames are counted from 0


@component
@dataclass(frozen=True)
class FrameDataset:
    """The frames that `twotower.run` was given and keeps in `frames_dir` under their `digest`."""

    digest: Annotated[str, Field(min_length=1)]
    frames_dir: str
    columns: Columns
    title: str | None
    lists: dict[str, Annotated[str, Field(min_length=1)]]
    timestamp_unit: TimestampUnit
    timestamp_format: str | None
    order: Order

    def load(self) -> Interactions:
        """Read the frames; raise DataError for the first column or value that cannot be used."""
        kept = kept_frames(Path(self.frames_dir), self.digest)
        frames = {
            part: self._log(name, frame, columns)
            for part, name, columns in (
                ("log", "interactions", self.columns),
                ("test", "test", of_test(self.columns)),
            )
            if (frame := kept.get(name)) is not None
        }
        lists = Lists(self.lists)
        for part, key, title in (("users", USER, None), ("items", ITEM, self.title)):
            if (frame := kept.get(part)) is not None:
                frames[part] = self._features(part, frame, key, title, lists)
        lists.refuse_unused()
        return interactions_of(
            frames,
            origin=f"data frames with digest {self.digest}",
            sources={part: "interactions" if part == "log" else part for part in frames},
        )

    def _log(self, name: str, frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
        if frame.is_empty():
            raise DataError(f"{name} is empty: it holds no row of data")
        require_columns(Path(name), frame.columns, named_columns(columns))
        times = TimeFormat(self.timestamp_unit, self.timestamp_format)
        return ordered(map_log([_table(name, frame)], columns, times), self.order)

    def _features(
        self, part: str, frame: pl.DataFrame, canonical: str, title: str | None, lists: Lists
    ) -> pl.DataFrame:
        field: Literal["user", "item"] = "user" if canonical == USER else "item"
        place = Place(part, str(self.columns[field]), f"dataset.columns.{field}", _FIRST_ROW)
        return map_features([_table(part, frame)], place, canonical, title, lists)


def _table(name: str, frame: pl.DataFrame) -> Table:
    return Table(Path(name), frame, is_text=False, first_row=_FIRST_ROW)
