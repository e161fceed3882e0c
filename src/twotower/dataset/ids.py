"""The one rule for ids, wherever they come from: files, the command line or Python.

An id is text, compared letter by letter. Space around it is no part of it, and a whole number is
written in decimal without a fraction: 7, 7.0, "7", "7.0" and " 7 " are one id; "007", "+7" and
"1e3" are three others. What exports write for a missing value (NULL, \\N, NaN, ...) is no id, and
neither are booleans, fractions, dates and bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
import polars as pl

from twotower.core.errors import DataError
from twotower.dataset.columns import Place

__all__ = ["asked_ids", "ids", "integers_where_exact"]

# As SQL, Hive, pandas, R and spreadsheets write a missing value. Case counts for "NA" alone, whose
# lower-case forms are names.
_NOTHING = ("", "nan", "-nan", "null", "none", "n/a", "#n/a", "<na>", "\\n")
_NOTHING_AS_WRITTEN = ("NA",)
_WHOLE = r"^(-?[1-9][0-9]*|0)\.0+$"
_INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"  # text that an Int64 prints exactly as it was
_EXACT_IN_FLOAT = 2**53  # from here on neighbouring integers share one float


class _NotIdsError(Exception):
    """bad: which of the values are no ids. what: they are, remedy: in words."""

    def __init__(self, bad: pl.Series, what: str, remedy: str) -> None:
        super().__init__(what)
        self.bad, self.what, self.remedy = bad, what, remedy


def ids(values: pl.Series, place: Place) -> pl.Series:
    """Ids as Int64, or as String where they are text or beyond 64 bits.

    Raises DataError for a missing id, a fraction, and other types.
    """
    try:
        return _ids(values)
    except _NotIdsError as error:
        place.refuse(error.bad, values, error.what, error.remedy)
    except TypeError:
        place.refuse_type(values.dtype, "integers or strings")


def integers_where_exact(values: pl.Series) -> pl.Series:
    """Int64 if every string is an integer as it would be printed ("7", not "007"); else as is."""
    if values.dtype != pl.String:
        return values
    parts = (values.head(1000), values)  # the head spares most other ids the whole check
    exact = all(part.str.contains(_INTEGER).fill_null(True).all() for part in parts)
    return values.cast(pl.Int64) if exact else values


def asked_ids(asked: Any, key: str) -> pl.Series:
    """Return the ids passed by a caller as strings, in their order: [n].

    asked: one id, or any sequence, array or series of ids. key: of the argument, for messages.
    Raises DataError for what is no id.
    """
    single = isinstance(asked, str | int | float | np.generic)
    if not single and (isinstance(asked, bytes) or not isinstance(asked, Iterable)):
        _refuse(key, asked)
    if hasattr(asked, "columns"):  # of frames the names of columns would be taken for ids
        _refuse(key, f"a {type(asked).__name__}")
    values = [asked] if single else list(asked)
    if {type(value) for value in values} == {int}:  # nothing to check, and a server has no time
        return pl.Series(list(map(str, values)))
    texts = pl.Series([_text(value, key) for value in values], dtype=pl.String)
    try:
        return _ids(texts)
    except _NotIdsError as error:
        _refuse(key, values[error.bad.arg_true()[0]])


def _text(value: Any, key: str) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        _refuse(key, value)
    if isinstance(value, float) and not value.is_integer():
        _refuse(key, value)
    return str(int(value)) if isinstance(value, float) else str(value)


def _refuse(key: str, got: Any) -> NoReturn:
    raise DataError(
        f"{key}: got {got!r}, which is no id; must be one id or a list of ids, integers or strings"
    )


def _ids(values: pl.Series) -> pl.Series:
    """Return the ids; raise _NotIdsError for a wrong value, TypeError for a wrong type."""
    dtype = values.dtype
    if isinstance(dtype, pl.Categorical | pl.Enum):
        values = values.cast(pl.String)
    missing = values.is_null()
    if values.dtype == pl.String:
        values = values.str.strip_chars()
        missing |= _is_nothing(values).fill_null(False)
    elif dtype.is_float():
        missing |= values.is_nan().fill_null(False)
    if missing.any():
        what = "no id (null, NaN or empty, also as a word such as NULL, None or NA)"
        raise _NotIdsError(missing, what, "remove these rows")
    if values.dtype == pl.String:
        dotted = values.str.contains(".", literal=True).any()
        return values.str.replace(_WHOLE, "$1") if dotted else values
    if dtype.is_integer():
        exact = values.cast(pl.Int64, strict=False)
        return values.cast(pl.String) if exact.null_count() else exact
    if not (dtype.is_float() or dtype.is_decimal()):
        raise TypeError
    return _whole(values)


def _is_nothing(text: pl.Series) -> pl.Series:
    return text.str.to_lowercase().is_in(_NOTHING) | text.is_in(_NOTHING_AS_WRITTEN)


def _whole(numbers: pl.Series) -> pl.Series:
    """Floats, which pandas makes of integers with gaps, and decimals, which databases do."""
    exact = numbers.cast(pl.Int64, strict=False)
    same = exact.cast(pl.Float64) == numbers.cast(pl.Float64)
    wrong = ~same.fill_null(False)
    if numbers.dtype.is_float():
        wrong |= (exact.abs() >= _EXACT_IN_FLOAT).fill_null(True)
    if wrong.any():
        remedy = "make them integers or strings"
        raise _NotIdsError(wrong, "ids that are no whole numbers below 2^53", remedy)
    return exact
