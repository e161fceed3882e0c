"""Models made up for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from twotower.comparison import Model, Repeat

METRIC = "hitrate_at_2"


def users(
    values: Sequence[float | None], ids: Sequence[Any] | None = None, n_seen: Any = 5
) -> pl.DataFrame:
    """`per_user` with ids from 0 on, or `ids`; `n_seen`: one for all or one each."""
    seen = [n_seen] * len(values) if isinstance(n_seen, int) else n_seen
    return pl.DataFrame(
        {
            "user_id": range(len(values)) if ids is None else ids,
            "n_seen": pl.Series(seen, dtype=pl.Int64),
            METRIC: pl.Series(values, dtype=pl.Float64),
        }
    )


def pairs(*rows: tuple[Any, Any, int, int | None]) -> pl.DataFrame:
    """`relevant`, a row a pair: user, item, popularity, rank."""
    schema = {"user_id": pl.Int64, "item_id": pl.Int64, "popularity": pl.Int64, "rank": pl.Int64}
    return pl.DataFrame(rows, schema, orient="row")


def model(
    name: str,
    *per_user: pl.DataFrame,
    relevant: list[pl.DataFrame] | None = None,
    parameters: float | None = None,
    digest: str | Sequence[str] = "abc",
    evaluation: str = "alike",
) -> Model:
    """A model with a repeat for each frame; digest: of the split, one for all or one each."""
    digests = [digest] * len(per_user) if isinstance(digest, str) else digest
    pairs_of: Sequence[pl.DataFrame | None] = relevant or [None] * len(per_user)
    repeats = [
        Repeat(frame, of_frame, split, evaluation)
        for frame, of_frame, split in zip(per_user, pairs_of, digests, strict=True)
    ]
    return Model(name, repeats, parameters, {})
