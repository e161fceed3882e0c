"""Where models differ by the popularity of the item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.comparison.groups import quantile_groups
from twotower.comparison.model import Model
from twotower.comparison.pairing import shared_folds
from twotower.types import ITEM, USER

__all__ = ["RelevantPairs", "by_popularity", "relevant_pairs"]

_POPULARITY, _RANK = "popularity", "rank"


@dataclass(frozen=True)
class RelevantPairs:
    """The held-out relevant pairs that all models have, in the same order.

    pairs: `user_id`, `item_id`, and `popularity` from the first model.
    ranks: for each model and seed, the ranks (`[n_pairs]`, Int64 from 1, null if not in the list).
    notes: what was left out, in sentences.
    """

    pairs: pl.DataFrame
    ranks: list[list[pl.Series]]
    notes: tuple[str, ...]


def relevant_pairs(models: Sequence[Model]) -> RelevantPairs | None:
    """Return the pairs that all models have; None if there are none.

    Pairs of a user or item that is cold to a model (it has no id there) are left out. With several
    folds, the popularity of an item is its mean over the folds, rounded.
    """
    if not all(repeat.relevant is not None for model in models for repeat in model.repeats):
        return None
    folds, _ = shared_folds(models)
    of_folds = [_of_fold([[r.relevant for r in its] for its in fold]) for fold in folds]
    if not sum(one.pairs.height for one in of_folds):
        return None
    n_pairs = sum(fold[0][0].relevant.height for fold in folds if fold[0][0].relevant is not None)
    pairs = pl.concat([one.pairs for one in of_folds])
    notes: tuple[str, ...] = ()
    if pairs.height < n_pairs:
        notes = (
            f"{n_pairs - pairs.height:,} of {n_pairs:,} relevant pairs are left out of "
            "the breakdown by popularity: their user or item is cold (train does not hold it)",
        )
    popularity = pl.col(_POPULARITY).mean().over(ITEM).round().cast(pl.Int64)
    ranks = [
        [pl.concat(parts) for parts in zip(*of_model, strict=True)]
        for of_model in zip(*(one.ranks for one in of_folds), strict=True)
    ]
    return RelevantPairs(pairs.with_columns(popularity), ranks, notes)


def _of_fold(frames: Sequence[Sequence[pl.DataFrame | None]]) -> RelevantPairs:
    """Return the pairs of one split; `frames`: for each model, one per repeat."""
    known = [[frame for frame in of_model if frame is not None] for of_model in frames]
    pairs = known[0][0].filter(pl.col(USER).is_not_null(), pl.col(ITEM).is_not_null())
    for frame in (frame for of_model in known for frame in of_model):
        pairs = pairs.join(frame, on=[USER, ITEM], how="semi")
    pairs = pairs.select(USER, ITEM, _POPULARITY).sort(USER, ITEM)
    ranks = [[_ranks(pairs, frame) for frame in of_model] for of_model in known]
    return RelevantPairs(pairs, ranks, ())


def by_popularity(
    names: Sequence[str], relevant: RelevantPairs, k: int, n_groups: int
) -> pl.DataFrame:
    """Return one row per group of items and model.

    Columns `popularity` (label), `n_items`, `n_pairs`, `name`, `recall`. The items are those with a
    held-out relevant pair; groups are quantiles of their interactions in train, each item counted
    once. `recall` is pooled: the share of all relevant pairs of the group whose item is in the
    first `k` of the user's list, averaged over seeds.
    """
    pairs = relevant.pairs
    items = pairs.unique(ITEM)[_POPULARITY].to_numpy()
    labels, edges = quantile_groups(items, n_groups)
    n_items = np.bincount(np.searchsorted(edges, items)).tolist()
    which = np.searchsorted(edges, pairs[_POPULARITY].to_numpy())
    n_pairs = np.bincount(which).tolist()
    recalls = [_recalls(of_seeds, k, which) for of_seeds in relevant.ranks]
    rows = [
        (label, n_items[group], n_pairs[group], name, float(of_groups[group]))
        for group, label in enumerate(labels)
        for name, of_groups in zip(names, recalls, strict=True)
    ]
    columns = [_POPULARITY, "n_items", "n_pairs", "name", "recall"]
    return pl.DataFrame(rows, columns, orient="row")


def _ranks(pairs: pl.DataFrame, frame: pl.DataFrame) -> pl.Series:
    joined = pairs.join(
        frame.select(USER, ITEM, _RANK), on=[USER, ITEM], how="left", maintain_order="left"
    )
    return joined[_RANK]


def _recalls(of_seeds: Sequence[pl.Series], k: int, which: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return `[n_groups]`, means over seeds; `which`: `[n_pairs]`, the group of each pair."""
    hits = [(ranks <= k).fill_null(value=False).to_numpy() for ranks in of_seeds]
    share = np.mean(hits, axis=0)
    recalls: NDArray[np.float64] = np.bincount(which, weights=share) / np.bincount(which)
    return recalls
