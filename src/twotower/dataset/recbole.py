"""Atomic files of RecBole (Zhao et al., CIKM 2021): `.inter`, and `.user` and `.item` if there.

Tab-separated with a header of `name:type`, the type one of token, token_seq, float, float_seq.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions_of
from twotower.dataset.columns import Place
from twotower.dataset.content import regular_file
from twotower.dataset.mapping import (
    Columns,
    Order,
    map_features,
    map_log,
    named_columns,
    ordered,
)
from twotower.dataset.tables import Table, expanded, require_columns
from twotower.dataset.text import TextFormat, read_text
from twotower.dataset.timestamps import TimeFormat, TimestampUnit
from twotower.types import ITEM, USER, Interactions

_TYPES = ("token", "token_seq", "float", "float_seq")
_TEXT = TextFormat("\t", header=True, quote=None, encoding="utf-8", node=None)


@component
@dataclass(frozen=True)
class RecBoleFiles:
    """A folder of atomic files; sequences become lists, the column of titles stays text."""

    path: str
    name: str | None
    columns: Columns
    title: str | None
    timestamp_unit: TimestampUnit
    order: Order

    def load(self) -> Interactions:
        """Read the files; raise DataError for the first file, column or value that is unusable."""
        stem = self._stem()
        log = self._read(stem.with_name(f"{stem.name}.inter"))
        require_columns(log.file, log.frame.columns, named_columns(self.columns))
        if log.frame.is_empty():
            raise DataError(f"{log.file} (dataset.path) is empty: it holds no row of data")
        mapped = map_log([log], self.columns, TimeFormat(self.timestamp_unit, None))
        frames = {"log": ordered(mapped, self.order)}
        for part, field, key in (("users", "user", USER), ("items", "item", ITEM)):
            file = stem.with_name(f"{stem.name}.{field}")
            if file.exists():
                frames[part] = self._features(file, field, key)
        files = {"log": "inter", "users": "user", "items": "item"}
        return interactions_of(
            frames,
            origin=f"the RecBole files {stem}.*",
            sources={part: f"{stem.name}.{suffix}" for part, suffix in files.items()},
        )

    def _stem(self) -> Path:
        """Return <folder>/<name>, which the three files share."""
        folder = expanded(self.path)
        found = sorted(file.stem for file in folder.glob("*.inter"))
        if self.name in found:
            return folder / self.name
        if self.name is None and len(found) == 1:
            return folder / found[0]
        there = f"it has {', '.join(found)}" if found else "it has none, or is no folder"
        wanted = "exactly one .inter file" if self.name is None else f"a file {self.name}.inter"
        raise DataError(f"{folder} (dataset.path) must hold {wanted}, see dataset.name; {there}")

    def _features(self, file: Path, field: str, key: str) -> pl.DataFrame:
        source: str = self.columns[field]  # type: ignore[literal-required]
        place = Place(str(file), source, f"dataset.columns.{field}")
        title = self.title if key == ITEM else None
        return map_features([self._read(file)], place, key, title)

    def _read(self, file: Path) -> Table:
        """Return all columns of a file, with the types that its header names."""
        regular_file(file, "dataset.path")
        text = read_text(file, "dataset.path", _TEXT, "\t")
        typed = {}
        for header in text.columns:
            name, _, kind = header.partition(":")
            if kind not in _TYPES:
                raise DataError(
                    f"{file}: the header {header!r} is not name:type; the type must be one of "
                    f"{', '.join(_TYPES)}"
                )
            typed[name] = text[header] if name == self.title else _typed(text[header], kind, file)
        return Table(file, pl.DataFrame(typed), is_text=True)


def _typed(values: pl.Series, kind: str, file: Path) -> pl.Series:
    """Lists for sequences, else the strings; those of numbers are checked."""
    parts = values.str.split(" ") if kind.endswith("_seq") else values
    if not kind.startswith("float"):
        return parts
    numbers = parts.cast(pl.List(pl.Float64) if kind == "float_seq" else pl.Float64, strict=False)
    bad = numbers.is_null() & values.is_not_null()
    if kind == "float_seq":
        bad |= (numbers.list.len() != numbers.list.drop_nulls().list.len()).fill_null(False)
    if bad.any():
        Place(str(file), values.name, None).refuse(bad, values, "no number", "correct these rows")
    return numbers if kind == "float_seq" else values
