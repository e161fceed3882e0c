"""Where models differ by the length of the user's history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from twotower.comparison.groups import quantile_groups
from twotower.comparison.pairing import N_SEEN, Paired
from twotower.comparison.statistics import bootstrap

__all__ = ["by_history"]


def by_history(
    names: Sequence[str],
    paired: Paired,
    n_groups: int,
    resamples: int,
    confidence: float,
    generator: np.random.Generator,
) -> pl.DataFrame:
    """Return one row per group of users and model.

    Columns `n_seen` (label), `n_users`, `name`, `mean`, `low`, `high`. Groups are quantiles of the
    users by length of their history. The interval is bootstrapped within the group.
    """
    labels, edges = quantile_groups(paired.n_seen, n_groups)
    which = np.searchsorted(edges, paired.n_seen)
    rows = []
    for group, label in enumerate(labels):
        values = [model[which == group] for model in paired.values]
        _, who = np.unique(paired.who[which == group], return_inverse=True)
        low, high = bootstrap(values, resamples, generator, who).of_means(confidence)
        for place, name in enumerate(names):
            mean = float(values[place].mean())
            rows.append((label, len(values[0]), name, mean, float(low[place]), float(high[place])))
    return pl.DataFrame(rows, [N_SEEN, "n_users", "name", "mean", "low", "high"], orient="row")
