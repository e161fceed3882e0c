"""Which columns of a side are read, and as what."""

from __future__ import annotations

import logging
from typing import Literal

import polars as pl

from twotower.config.suggest import suggest
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.types import Side

__all__ = ["Columns", "Kind", "column_kinds"]

logger = logging.getLogger(__name__)

Kind = Literal["categorical", "multi_valued", "numeric", "text", "vector"]
Columns = Literal["auto"] | dict[str, Kind] | None

_TITLE = "title"  # what people read, in every dataset of this project


def column_kinds(columns: Columns, side: Side, max_distinct: float) -> dict[str, Kind]:
    """Return the kind of each column to read; those without a value in train are left out.

    For `columns` and `max_distinct` see conf/tower/features.yaml.

    Raises:
        ConfigError: the side does not have a column, or its values do not fit the kind.
    """
    train = (pl.DataFrame() if side.features is None else side.features).head(side.n_train)
    if columns == "auto":
        titled = _titled(train)
        kinds = {
            column.name: kind
            for column in train
            if not (column.name == _TITLE != titled)
            if (kind := _kind_of(column, max_distinct, column.name == titled))
        }
    else:
        kinds = dict(columns or {})
        for name, kind in kinds.items():
            _check(f"{side.kind}_columns.{name}", kind, name, train)
    return {name: kind for name, kind in kinds.items() if not _unknown(train[name], side)}


def _unknown(column: pl.Series, side: Side) -> bool:
    is_list = isinstance(column.dtype, pl.List)
    if column.list.len().sum() if is_list else column.count():
        return False
    logger.warning(
        "The %s tower leaves out %r: no row of train has a value; tower.%s_columns says which "
        "columns are read",
        side.kind,
        column.name,
        side.kind,
    )
    return True


def _titled(train: pl.DataFrame) -> str:
    """Return the column that `title` is a copy of (dataset.title), if any: only one is read."""
    if _TITLE in train.columns:
        for column in train.drop(_TITLE):
            if column.equals(train[_TITLE]) and column.dtype == pl.String:
                return column.name
    return _TITLE


def _kind_of(column: pl.Series, max_distinct: float, is_title: bool) -> Kind | None:
    """None, and a warning, where no kind fits."""
    valid = _valid_kinds(column.dtype)
    if not valid:
        logger.warning(
            "Column %r is left out: no tower reads %s; change its type in the dataset, or name the "
            "columns to read in tower.user_columns or tower.item_columns",
            column.name,
            column.dtype,
        )
        return None
    if column.dtype != pl.String:
        return valid[0]
    known = column.drop_nulls()
    is_text = is_title or known.n_unique() > max_distinct * len(known)
    return "text" if is_text else "categorical"


def _valid_kinds(dtype: pl.DataType) -> list[Kind]:
    """Return the kinds that values of `dtype` can be read as, the likeliest first."""
    if isinstance(dtype, pl.List):
        if dtype.inner.is_float():
            return ["vector"]
        return [] if dtype.inner.is_nested() else ["multi_valued"]
    if dtype.is_numeric() or dtype.is_temporal():
        return ["numeric", "categorical"]
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return ["categorical", "text"]
    return ["categorical"] if dtype == pl.Boolean else []


def _check(key: str, kind: Kind, name: str, train: pl.DataFrame) -> None:
    if name not in train.columns:
        known = suggest(name, train.columns)
        raise ConfigError(ErrorEntry(key, kind, "but there is no such column", known))
    valid = _valid_kinds(train[name].dtype)
    if kind not in valid:
        wrong = f"but the column holds {train[name].dtype}"
        accepted = f"must be {' or '.join(valid)}" if valid else "must be left out"
        raise ConfigError(ErrorEntry(key, kind, wrong, accepted))
