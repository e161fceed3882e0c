"""Text columns with several values per field, such as `Comedy|Drama`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from twotower.core.errors import DataError
from twotower.dataset.columns import Place

__all__ = ["Lists"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lists:
    """Splits columns of feature tables.

    separators: what is between the values, by column.
    """

    separators: Mapping[str, str]
    _seen: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def split(self, file: str, features: pl.DataFrame) -> pl.DataFrame:
        """Split columns of `features` into lists of strings; null if there is no value.

        Raises:
            DataError: a column does not hold text.
        """
        self._seen[file] = features.columns
        for name in features.columns:
            values = features[name]
            if name not in self.separators:
                _hint(file, values)
                continue
            if values.dtype != pl.String:
                Place(file, name, "dataset.lists").refuse_type(values.dtype, "strings to split")
            features = features.with_columns(self._parts(name))
        return features

    def refuse_unused(self) -> None:
        """Raise DataError for a column that no table has had."""
        for name in self.separators:
            if not any(name in columns for columns in self._seen.values()):
                there = "; ".join(f"{f} has {', '.join(c)}" for f, c in self._seen.items())
                raise DataError(
                    f"dataset.lists: no features have a column {name!r}; "
                    f"{there or 'set dataset.items_path or dataset.users_path, or pass items='}"
                )

    def _parts(self, name: str) -> pl.Expr:
        parts = pl.col(name).str.split(self.separators[name])
        parts = parts.list.eval(pl.element().str.strip_chars())
        parts = parts.list.eval(pl.element().filter(pl.element() != ""))
        return pl.when(parts.list.len() > 0).then(parts).alias(name)


def _hint(file: str, values: pl.Series) -> None:
    """Point at a column that looks as if it held lists."""
    if values.dtype != pl.String or values.is_empty():
        return
    if (values.str.count_matches("|", literal=True) > 0).mean() or 0 > 0.2:
        logger.warning(
            "%s: column %r has several values in a field, apart by '|': dataset.lists={%s: '|'} "
            "reads them as a list",
            *(file, values.name, values.name),
        )
