"""The result of a comparison, and its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from twotower.comparison.model import Model
from twotower.comparison.pairing import Paired
from twotower.comparison.statistics import Floats
from twotower.core.frame_library import Library, in_library

__all__ = ["Claims", "Compared", "models_frame", "pairs_frame"]


@dataclass(frozen=True)
class Claims:
    """The results of the tests, for models in order of their means, the best first.

    Attributes:
        p_values: `[n_models, n_models]`, of the differences of pairs, uncorrected.
        p_holm: the same after Holm's correction.
        groups: of each model, see `difference_groups`.
        p_no_worse: `[n_models - 1]`, of all models except the best, corrected.
        no_worse: whether each model is shown to be no worse; True for the best.
    """

    p_values: Floats
    p_holm: Floats
    groups: Sequence[int]
    p_no_worse: Floats
    no_worse: Sequence[bool]


@dataclass(frozen=True)
class Compared:
    """The result of a comparison; models are in order of their means, the best first.

    margin: share of the best mean by which a model that is called no worse may be worse.
    n_users: users by whom the models are paired; a user counts once in each fold.
    n_folds: splits that they come from.
    models: one row per model: `rank` (from 1), `name`, `n_seeds`, `mean`, `low`, `high`,
        `seed_spread` (standard deviation of the means of its seeds; null for one), `group` (from
        1: models of a group are not shown to differ from its first), `p_best` (two-sided, against
        the best, after Holm; null for the best), `p_no_worse` (one-sided, that it is worse than the
        best by the margin or more, after Holm; null for the best), `no_worse` (whether that is
        rejected; null for the best), `parameters`.
    pairs: one row per pair: `better`, `worse`, `difference` of their means, `low`, `high`, `p`,
        `p_holm`, `significant`.
    metrics: one row per model and metric that all have: `name`, `metric`, `mean` over all its
        repeats.
    history, popularity: one row per group and model, see `by_history` and `by_popularity`;
        popularity is None if relevant pairs are not known.
    headline: which smaller model is no worse than the best; None if none is shown to be.
    notes: what was left out or changed, in sentences.
    """

    metric: str
    alpha: float
    confidence: float
    margin: float
    n_users: int
    n_folds: int
    models: pl.DataFrame
    pairs: pl.DataFrame
    metrics: pl.DataFrame
    history: pl.DataFrame
    popularity: pl.DataFrame | None
    headline: str | None
    notes: tuple[str, ...]

    @property
    def breakdowns(self) -> dict[str, pl.DataFrame]:
        """The frames of where models differ, by title."""
        found = {"by length of the user's history": self.history}
        if self.popularity is not None:
            found["by the item's popularity in train"] = self.popularity
        return found

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """All frames, by name."""
        known = {"models": self.models, "pairs": self.pairs, "metrics": self.metrics}
        known["history"] = self.history
        return known if self.popularity is None else {**known, "popularity": self.popularity}

    def in_library(self, library: Library) -> Compared:
        """Return the same with its frames as those of `library`."""
        converted: dict[str, Any] = {
            name: in_library(frame, library) for name, frame in self.tables.items()
        }
        return replace(self, **converted)


def models_frame(
    models: Sequence[Model],
    paired: Paired,
    interval: tuple[Floats, Floats],
    claims: Claims,
) -> pl.DataFrame:
    """Return `Compared.models`.

    Args:
        interval: low and high ends, `[n_models]` each.
    """
    low, high = interval
    of_seeds = [values.mean(axis=0) for values in paired.values]  # [n_seeds] each
    spreads = [float(seeds.std(ddof=1)) if len(seeds) > 1 else None for seeds in of_seeds]
    return pl.DataFrame(
        {
            "rank": range(1, len(models) + 1),
            "name": [model.name for model in models],
            "n_seeds": [len(seeds) for seeds in of_seeds],
            "mean": [float(seeds.mean()) for seeds in of_seeds],
            "low": low,
            "high": high,
            "seed_spread": spreads,
            "group": claims.groups,
            "p_best": [None, *claims.p_holm[0, 1:].tolist()],
            "p_no_worse": [None, *claims.p_no_worse.tolist()],
            "no_worse": [None, *claims.no_worse[1:]],
            "parameters": [model.parameters for model in models],
        },
        schema_overrides={
            **dict.fromkeys(("seed_spread", "p_best", "p_no_worse", "parameters"), pl.Float64),
            "no_worse": pl.Boolean,
        },
    )


def pairs_frame(
    names: Sequence[str],
    averaged: Floats,
    interval: tuple[Floats, Floats],
    claims: Claims,
    alpha: float,
) -> pl.DataFrame:
    """Return `Compared.pairs`.

    Args:
        averaged: `[n_users, n_models]`, means over seeds.
        interval: low and high ends, `[n_models, n_models]` each.
    """
    upper = better, worse = np.triu_indices(len(names), 1)
    name, mean = pl.Series(names, dtype=pl.String), averaged.mean(axis=0)
    low, high = interval
    return pl.DataFrame(
        {
            "better": name.gather(better),
            "worse": name.gather(worse),
            "difference": mean[better] - mean[worse],
            "low": low[upper],
            "high": high[upper],
            "p": claims.p_values[upper],
            "p_holm": claims.p_holm[upper],
            "significant": claims.p_holm[upper] <= alpha,
        }
    )
