"""What a comparison gives, and its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from twotower.comparison.pairing import Model, Paired
from twotower.comparison.statistics import Floats

__all__ = ["Compared", "models_frame", "pairs_frame"]


@dataclass(frozen=True)
class Compared:
    """What was found; models are named, the best mean first.

    models: one row a model: `rank` (from 1), `name`, `n_seeds`, `mean`, `low`, `high`,
        `seed_spread` (standard deviation of the means of its seeds; null for one), `tie_group`
        (from 1), `p_best` (against the best, after Holm; null for the best), `parameters`.
    pairs: one row a pair: `better`, `worse`, `difference` of their means, `low`, `high`, `p`,
        `p_holm`, `significant`.
    history, popularity: one row a group and model, see `by_history` and `by_popularity`; popularity
        is None where relevant pairs are not known.
    headline: which smaller model ties with the best; None where none does.
    notes: what was left out or changed, in sentences.
    """

    metric: str
    alpha: float
    confidence: float
    n_users: int
    models: pl.DataFrame
    pairs: pl.DataFrame
    history: pl.DataFrame
    popularity: pl.DataFrame | None
    headline: str | None
    notes: tuple[str, ...]

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """Every frame there is, by name."""
        known = {"models": self.models, "pairs": self.pairs, "history": self.history}
        return known if self.popularity is None else {**known, "popularity": self.popularity}


def models_frame(
    models: Sequence[Model],
    paired: Paired,
    interval: tuple[Floats, Floats],
    p_holm: Floats,
    groups: Sequence[int],
) -> pl.DataFrame:
    """`Compared.models`; interval: low and high ends [n_models]."""
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
            "tie_group": groups,
            "p_best": [None, *p_holm[0, 1:].tolist()],
            "parameters": [model.parameters for model in models],
        },
        schema_overrides=dict.fromkeys(("seed_spread", "p_best", "parameters"), pl.Float64),
    )


def pairs_frame(
    names: Sequence[str],
    averaged: Floats,
    interval: tuple[Floats, Floats],
    p_values: Floats,
    p_holm: Floats,
    alpha: float,
) -> pl.DataFrame:
    """`Compared.pairs`.

    averaged: [n_users, n_models] in the mean over seeds; interval: low and high ends
    [n_models, n_models], as the p-values.
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
            "p": p_values[upper],
            "p_holm": p_holm[upper],
            "significant": p_holm[upper] <= alpha,
        }
    )
