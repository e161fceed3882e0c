"""What callers pass to a `Recommender`, checked and translated to row numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twotower.core.errors import ConfigError, DataError
from twotower.dataset.ids import asked_ids

__all__ = ["check_arguments", "row_numbers", "rows_of"]


def check_arguments(k: Any, drop_seen: Any) -> None:
    """Raise ConfigError unless `k` is an integer >= 1 and `drop_seen` a boolean."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"k: got {k!r}; must be an integer >= 1")
    if not isinstance(drop_seen, bool | np.bool_):
        raise ConfigError(f"drop_seen: got {drop_seen!r}; must be True or False")


def row_numbers(known: pl.Series, ids: pl.Series) -> Tensor:
    """Return the row of each of `ids` in `known`, -1 where it is missing: [n] int64."""
    places = pl.DataFrame({"id": known.cast(pl.String)}).with_row_index("row")
    asked = pl.DataFrame({"id": ids.cast(pl.String)})
    found = asked.join(places, on="id", how="left", maintain_order="left")["row"]
    return torch.from_numpy(found.cast(pl.Int64).fill_null(-1).to_numpy(writable=True))


def rows_of(known: pl.Series, users: Any) -> Tensor:
    """Return the rows of `users` in `known`: [n] int64; all rows where `users` is None.

    Raises:
        DataError: One of them is not in `known`.
    """
    if users is None:
        return torch.arange(len(known))
    asked = asked_ids(users, "users")
    rows = row_numbers(known, asked)
    unknown = asked.filter(pl.Series((rows < 0).numpy()))
    if len(unknown):
        raise DataError(
            f"users: {len(unknown)} of {len(asked)} are not among the {len(known):,} users "
            f"that the model knows, the first is {unknown[0]!r}; must be such as "
            f"{', '.join(map(repr, known.head(3)))}"
        )
    return rows
