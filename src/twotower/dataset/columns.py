"""Validate the columns of a file and convert them to canonical ones.

A value that cannot be what its column should hold stops the run with the file, the column, the
first offending row and the config key to change; none is dropped or guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import polars as pl

from twotower.core.errors import DataError


@dataclass(frozen=True)
class Place:
    """The location of a column, for messages: file, column name and the config key that sets it.

    key: None where no key does.
    first_row: the number of the first row: 1 in a file, 0 in a frame.
    """

    file: str
    column: str
    key: str | None
    first_row: int = 1

    def refuse(self, bad: pl.Series, values: pl.Series, what: str, remedy: str) -> NoReturn:
        """Raise DataError for the rows where `bad`, with the first of them."""
        row = bad.arg_true()[0]
        header = ", without the header" if self.first_row else ""
        raise DataError(
            f"{self.file}: column {self.column!r} has {what} in {bad.sum()} of {len(bad)} rows, "
            f"first in row {row + self.first_row} (counted from {self.first_row}{header}): "
            f"{values[row]!r}; {remedy}{self._or_another}"
        )

    def refuse_type(self, dtype: pl.DataType, valid: str) -> NoReturn:
        raise DataError(
            f"{self.file}: column {self.column!r} has type {dtype}; expected {valid}: "
            f"convert it{self._or_another}"
        )

    @property
    def _or_another(self) -> str:
        return f" or name another column with {self.key}" if self.key else ""


def ratings(values: pl.Series, place: Place) -> pl.Series:
    """Ratings as Float64. Raises DataError for what is not a finite number."""
    return _finite(values, place)


def weights(values: pl.Series, place: Place) -> pl.Series:
    """Weights as Float64. Raises DataError for what is not a finite number of 0 or more."""
    numbers = _finite(values, place)
    negative = numbers < 0
    if negative.any():
        place.refuse(negative, values, "a negative weight", "weights must be 0 or more: correct it")
    return numbers


def _finite(values: pl.Series, place: Place) -> pl.Series:
    if not (values.dtype.is_numeric() or values.dtype == pl.String):
        place.refuse_type(values.dtype, "numbers, also as strings")
    numbers = values.cast(pl.Float64, strict=False)
    bad = ~numbers.is_finite().fill_null(False)
    if bad.any():
        place.refuse(bad, values, "no finite number", "correct or remove these rows")
    return numbers
