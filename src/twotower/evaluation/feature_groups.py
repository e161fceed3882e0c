"""Groups of users or items by the values of a feature column."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["MISSING", "group_labels", "groupable"]

MISSING = "missing"
MOST_NUMBERS = 10  # more distinct numbers are grouped by quartiles


def groupable(dtype: pl.DataType) -> bool:
    """Return whether values of `dtype` form groups."""
    if isinstance(dtype, pl.List):
        return dtype.inner == pl.String or dtype.inner.is_integer()
    return (
        dtype.is_numeric()
        or dtype.is_temporal()
        or dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum)
    )


def group_labels(column: pl.Series, rows: NDArray[np.int64]) -> pl.DataFrame:
    """Return the groups of some rows of a column.

    Numbers of many values are grouped by the quartiles of the column. A row without a value, or
    beyond the column, is in the group `missing`; a row of a list is in the group of each of its
    values.

    Args:
        column: The feature of all users or items.
        rows: [n] row numbers, repeats allowed.

    Returns:
        `place` (Int64), from 0 to n - 1, and `group` (String); several rows per place of lists.

    Example:
        >>> group_labels(pl.Series(["a", None]), np.array([0, 1, 5]))["group"].to_list()
        ['a', 'missing', 'missing']
    """
    labels = _labels(column)
    known = rows < len(labels)
    chosen = labels.gather(np.where(known, rows, 0)).set(pl.Series(~known), None)
    frame = pl.DataFrame({"place": np.arange(len(rows)), "group": chosen})
    if isinstance(labels.dtype, pl.List):
        frame = frame.explode("group", empty_as_null=True, keep_nulls=True).unique(
            maintain_order=True
        )
    return frame.with_columns(pl.col("group").replace("", None).fill_null(MISSING))


def _labels(column: pl.Series) -> pl.Series:
    """Return the column as strings, or lists of strings."""
    if isinstance(column.dtype, pl.List):
        return column.cast(pl.List(pl.String))
    if column.dtype.is_temporal() and column.dtype not in (pl.Time, pl.Duration):
        column = column.dt.year()
    if not column.dtype.is_numeric() or column.drop_nulls().n_unique() <= MOST_NUMBERS:
        return column.cast(pl.String)
    numbers = column.cast(pl.Float64)
    known = numbers.drop_nulls().drop_nans().to_numpy()
    edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75], method="inverted_cdf"))
    edges = edges[edges < known.max()]
    group = np.searchsorted(edges, numbers.fill_null(np.nan).to_numpy())
    of_known = np.searchsorted(edges, known)
    names = [
        f"{known[of_known == n].min():g} to {known[of_known == n].max():g}"
        for n in range(len(edges) + 1)
    ]
    labels = pl.Series(names).gather(np.minimum(group, len(edges)))
    return labels.set(numbers.is_null() | numbers.is_nan().fill_null(True), None)
