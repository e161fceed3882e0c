"""Interactions of users who were added after training, passed from Python."""

from __future__ import annotations

from typing import Any

import polars as pl

from twotower.core.errors import DataError
from twotower.dataset.columns import Place
from twotower.dataset.ids import ids
from twotower.types import ITEM, USER

__all__ = ["new_users_log"]


def new_users_log(interactions: Any) -> pl.DataFrame:
    """Convert `interactions`, a Polars or pandas frame, to Polars with checked ids.

    Raises:
        DataError: it is not such a frame, or a value is not an id.
    """
    try:
        log = pl.DataFrame(interactions)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"new users: got {type(interactions).__name__}; must be a Polars or pandas frame with "
            f"columns {USER!r}, {ITEM!r} and, where known, 'timestamp'"
        ) from error
    for key in (USER, ITEM):
        if key not in log.columns:
            raise DataError(f"new users: no column {key!r}; there are {log.columns}")
    return log.with_columns(ids(log[key], Place("new users", key, None)) for key in (USER, ITEM))
