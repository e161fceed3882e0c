"""Models to compare, as their trained instances with values per user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

__all__ = ["Model", "Repeat"]


@dataclass(frozen=True)
class Repeat:
    """One trained instance of a model, on one split (such as a fold) with one seed.

    per_user: one row per evaluated user: `user_id` (null: a cold user without an id), `n_seen`
        (Int64, length of the history), a Float64 column per metric such as `ndcg_at_10`.
    relevant: one row per held-out relevant pair: `user_id`, `item_id`, `popularity` (Int64,
        interactions of the item in train), `rank` (Int64 from 1; null where the item is not in the
        user's list); None if not known.
    split: digest of the split that it was trained and evaluated on.
    evaluation: the conditions of its evaluation, see `Evaluation.conditions`.
    """

    per_user: pl.DataFrame
    relevant: pl.DataFrame | None
    split: str
    evaluation: str


@dataclass(frozen=True)
class Model:
    """A trained model, or one setting trained several times, with other seeds or on other folds.

    parameters: number of trainable parameters; None if not known.
    values: its metrics on the compared part, by names such as `coverage_at_10`, averaged over its
        repeats.
    """

    name: str
    repeats: Sequence[Repeat]
    parameters: float | None
    values: Mapping[str, float]

    @property
    def by_split(self) -> dict[str, list[Repeat]]:
        """The repeats by split, in their order."""
        found: dict[str, list[Repeat]] = {}
        for repeat in self.repeats:
            found.setdefault(repeat.split, []).append(repeat)
        return found
