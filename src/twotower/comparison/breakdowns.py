"""Where models differ: by length of history and by popularity of the item."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.comparison.pairing import N_SEEN, Model, Paired
from twotower.comparison.statistics import bootstrap
from twotower.errors import DataError
from twotower.types import ITEM, USER

__all__ = ["by_history", "by_popularity", "quantile_groups"]

_PAIR = [USER, ITEM, "popularity"]


def quantile_groups(
    values: NDArray[np.int64], n_groups: int
) -> tuple[list[str], NDArray[np.float64]]:
    """Labels such as `5-12` in rising order, and the highest value of each group but the last.

    Cut after the smallest value that at least 1/n, 2/n, ... of `values` do not exceed. Equal
    values share a group, so groups may be unequal, and fewer than `n_groups` where many are equal.
    """
    places = np.arange(1, n_groups) / n_groups
    edges: NDArray[np.float64] = np.unique(np.quantile(values, places, method="inverted_cdf"))
    edges = edges[edges < values.max()]
    which = np.searchsorted(edges, values)  # in group g: edges[g - 1] < value <= edges[g]
    members = [values[which == group] for group in range(len(edges) + 1)]
    return [_label(int(m.min()), int(m.max())) for m in members], edges


def by_history(
    names: Sequence[str],
    paired: Paired,
    n_groups: int,
    resamples: int,
    confidence: float,
    generator: np.random.Generator,
) -> pl.DataFrame:
    """One row a group of users and model.

    Columns `n_seen` (label), `n_users`, `name`, `mean`, `low`, `high`. Groups are quantiles of the
    users by length of their history. The interval is bootstrapped within the group.
    """
    labels, edges = quantile_groups(paired.n_seen, n_groups)
    which = np.searchsorted(edges, paired.n_seen)
    rows = []
    for group, label in enumerate(labels):
        values = [model[which == group] for model in paired.values]
        low, high = bootstrap(values, resamples, generator).of_means(confidence)
        for place, name in enumerate(names):
            mean = float(values[place].mean())
            rows.append((label, len(values[0]), name, mean, float(low[place]), float(high[place])))
    return pl.DataFrame(rows, [N_SEEN, "n_users", "name", "mean", "low", "high"], orient="row")


def by_popularity(models: Sequence[Model], k: int, n_groups: int) -> pl.DataFrame | None:
    """One row a group of items and model: `popularity` (label), `n_items`, `n_pairs`, `name`,
    `recall`; None where a model has no relevant pairs.

    The items are those with a held-out relevant pair. Each counts once, whatever its number of
    pairs: groups are quantiles of these items by their interactions in train. `recall` is pooled:
    of all relevant pairs of the group's items, the part with the item in the first `k` of the
    user's list, in the mean over seeds. Pairs of users without an id are left out.

    Raises DataError where the pairs of the models differ.
    """
    found = [_same_pairs(model) for model in models if model.relevant]
    if len(found) < len(models):
        return None
    pairs = found[0]
    for model, other in zip(models, found, strict=True):
        if not other.equals(pairs):
            raise DataError(f"held-out relevant pairs differ: {models[0].name}, {model.name}")
    if pairs.is_empty():
        return None
    items = pairs.unique(ITEM)["popularity"].to_numpy()
    labels, edges = quantile_groups(items, n_groups)
    n_items = np.bincount(np.searchsorted(edges, items), minlength=len(labels)).tolist()
    n_pairs = np.bincount(np.searchsorted(edges, pairs["popularity"].to_numpy())).tolist()
    recalls = [_recalls(model, k, edges) for model in models]
    rows = [
        (label, n_items[group], n_pairs[group], model.name, float(of_groups[group]))
        for group, label in enumerate(labels)
        for model, of_groups in zip(models, recalls, strict=True)
    ]
    columns = ["popularity", "n_items", "n_pairs", "name", "recall"]
    return pl.DataFrame(rows, columns, orient="row")


def _same_pairs(model: Model) -> pl.DataFrame:
    """The sorted pairs of a model. Raises DataError where its seeds have different ones."""
    first, *others = (_known(frame).select(_PAIR).sort(_PAIR) for frame in model.relevant or [])
    if not all(other.equals(first) for other in others):
        raise DataError(f"held-out relevant pairs differ between the seeds of {model.name}")
    return first


def _recalls(model: Model, k: int, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n_groups] in the mean over seeds."""
    seeds = []
    for frame in map(_known, model.relevant or []):
        which = np.searchsorted(edges, frame["popularity"].to_numpy())
        hits = (frame["rank"] <= k).fill_null(value=False).to_numpy()
        seeds.append(np.bincount(which, weights=hits) / np.bincount(which))
    recalls: NDArray[np.float64] = np.mean(seeds, axis=0)
    return recalls


def _known(relevant: pl.DataFrame) -> pl.DataFrame:
    return relevant.filter(pl.col(USER).is_not_null())


def _label(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}-{high}"
