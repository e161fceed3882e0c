"""What callers pass to a `Recommender`, checked."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from twotower.core.errors import ConfigError, DataError
from twotower.dataset.ids import asked_ids
from twotower.serving.id_rows import IdRows

__all__ = ["allowed_rows", "check_arguments", "require_known"]

logger = logging.getLogger(__name__)


def check_arguments(k: Any, drop_seen: Any = True) -> None:
    """Raise ConfigError unless `k` is an integer >= 1 and `drop_seen` a boolean."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"k: got {k!r}; must be an integer >= 1")
    if not isinstance(drop_seen, bool | np.bool_):
        raise ConfigError(f"drop_seen: got {drop_seen!r}; must be True or False")


def require_known(rows: Tensor, asked: pl.Series, known: pl.Series, key: str) -> None:
    """Raise DataError if some of `asked` are not among the `known` ids.

    Args:
        rows: [n] of `asked`, -1 where unknown.
        asked: The ids passed by the caller.
        known: The ids of the model.
        key: What they are: `users` or `items`.
    """
    unknown = asked.filter(pl.Series((rows < 0).numpy()))
    if len(unknown):
        raise DataError(
            f"{key}: {len(unknown)} of {len(asked)} are not among the {len(known):,} {key} "
            f"that the model knows, the first is {unknown[0]!r}; must be such as "
            f"{', '.join(map(repr, known.head(3)))}"
        )


def allowed_rows(rows: IdRows, n_items: int, items: Any, exclude: Any) -> Tensor | None:
    """Return which items may be recommended: [n_items] bool, or None for all.

    Items that the model does not know are ignored, with a warning if they are in `items`.

    Args:
        rows: Finds the rows of items.
        n_items: The number of items that the model can rank.
        items: The ids to choose from; None for all.
        exclude: The ids to leave out; None for none.

    Raises:
        DataError: The model can rank none of `items`, or something is no id.
    """
    if items is None and exclude is None:
        return None
    allowed = torch.ones(n_items, dtype=torch.bool)
    if items is not None:
        asked = asked_ids(items, "items")
        known = _ranked(rows.of(asked), n_items)
        if not len(known):
            raise DataError(f"items: the model can rank none of the {len(asked):,} items passed")
        if len(known) < len(asked):
            n = len(asked) - len(known)
            logger.warning("items: the model cannot rank %d of %d; they are ignored", n, len(asked))
        allowed[:] = False
        allowed[known] = True
    if exclude is not None:
        allowed[_ranked(rows.of(asked_ids(exclude, "exclude")), n_items)] = False
    return allowed


def _ranked(rows: Tensor, n_items: int) -> Tensor:
    return rows[(rows >= 0) & (rows < n_items)]
