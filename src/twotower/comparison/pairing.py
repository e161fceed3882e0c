"""Pair models user by user, or raise if that is impossible."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.comparison.checks import (
    check_evaluations,
    check_metric,
    check_models,
    check_users,
    refuse_splits,
)
from twotower.comparison.model import Model, Repeat
from twotower.comparison.statistics import Floats
from twotower.core.errors import DataError
from twotower.types import USER

__all__ = ["N_SEEN", "Paired", "RepeatsOfSplit", "pair", "shared_folds"]

Integers = NDArray[np.int64]

N_SEEN = "n_seen"


@dataclass(frozen=True)
class Paired:
    """Values of one metric; row r belongs to the same user and fold for all models.

    Rows are sorted by fold, then by user id.

    values: `[n_rows, n_seeds]` for each model.
    n_seen: `[n_rows]`, int64.
    who: `[n_rows]`, int64, the user of each row, from 0 without gaps: a user may be in several
        folds.
    n_folds: number of splits.
    notes: what was left out, in sentences.
    """

    values: list[Floats]
    n_seen: Integers
    who: Integers
    n_folds: int
    notes: tuple[str, ...]


RepeatsOfSplit = list[list[Repeat]]  # a list per model; equally many repeats on every split


def pair(models: Sequence[Model], metric: str) -> Paired:
    """Return the values of `metric` on the splits that all models were evaluated on.

    Users without an id, and those without a value for one of the models, are left out.

    Raises:
        DataError: there is nothing to compare, names repeat, or splits, evaluations or users
            differ.
        ConfigError: `metric` has no values per user.
    """
    check_models(models)
    folds, notes = shared_folds(models)
    check_metric(models, metric, (USER, N_SEEN))
    names = [model.name for model in models]
    values, n_seen, users = zip(*(_pair_fold(names, fold, metric) for fold in folds), strict=True)
    ids = pl.concat(users).to_frame()
    numbers = ids.unique(maintain_order=True).with_row_index("number")
    who = ids.join(numbers, on=USER, how="left", maintain_order="left")["number"]
    notes += _sampled(folds[0][0][0].evaluation)
    notes += _left_out([fold[0][0].per_user for fold in folds], ids.height, metric)
    return Paired(
        values=[np.concatenate(of_folds) for of_folds in zip(*values, strict=True)],
        n_seen=np.concatenate(n_seen),
        who=who.cast(pl.Int64).to_numpy(),
        n_folds=len(folds),
        notes=tuple(notes),
    )


def shared_folds(models: Sequence[Model]) -> tuple[list[RepeatsOfSplit], list[str]]:
    """Return the splits that all models were evaluated on, and notes on repeats that are left out.

    A model has equally many repeats on each split: the least that it has on any.

    Raises:
        DataError: the models share no split, or were evaluated differently on one.
    """
    by_split = [model.by_split for model in models]
    shared = [split for split in by_split[0] if all(split in its for its in by_split)]
    if not shared:
        refuse_splits(models)
    for split in shared:
        check_evaluations(models, split)
    notes = []
    counts = [min(len(its[split]) for split in shared) for its in by_split]
    for model, count in zip(models, counts, strict=True):
        if left := len(model.repeats) - count * len(shared):
            notes.append(
                f"{model.name}: {left:,} of its {len(model.repeats):,} repeats are left out, "
                "which have no counterpart on another fold or for another model"
            )
    folds = [
        [its[split][:count] for its, count in zip(by_split, counts, strict=True)]
        for split in shared
    ]
    return folds, notes


def _pair_fold(
    names: Sequence[str], fold: RepeatsOfSplit, metric: str
) -> tuple[list[Floats], Integers, pl.Series]:
    """Return the values `[n_users, n_seeds]` of each model, lengths of histories, and ids."""
    called = [
        f"{name} (repeat {n})" if len(its) > 1 else name
        for name, its in zip(names, fold, strict=True)
        for n in range(1, len(its) + 1)
    ]
    found = [repeat.per_user for its in fold for repeat in its]
    frames = [frame.filter(pl.col(USER).is_not_null()).sort(USER) for frame in found]
    for name, frame in zip(called, frames, strict=True):
        check_users(called[0], frames[0], name, frame)
    together = np.column_stack([frame[metric].to_numpy() for frame in frames]).astype(np.float64)
    whole = np.isfinite(together).all(axis=1)
    if not whole.any():
        raise DataError(f"no user has an id and a value of {metric} for every model")
    n_seen = frames[0][N_SEEN]
    if n_seen.null_count():
        raise DataError(f"{called[0]}: {n_seen.null_count():,} users have no {N_SEEN}")
    ends = np.cumsum([len(its) for its in fold])
    values = np.split(together[whole], ends[:-1], axis=1)
    return values, n_seen.to_numpy()[whole], frames[0][USER].filter(pl.Series(whole))


def _sampled(evaluation: str) -> Iterator[str]:
    """Yield a note if the users are a sample, as the conditions of an evaluation say."""
    try:
        conditions = json.loads(evaluation)
    except json.JSONDecodeError:  # conditions of the caller's own
        return
    if isinstance(conditions, dict) and "sampled_from" in conditions:
        yield (
            f"the users are a fixed sample, {conditions['users']:,} of "
            f"{conditions['sampled_from']:,} (evaluation.validation_users), the same for all models"
        )


def _left_out(per_user: Sequence[pl.DataFrame], n_paired: int, metric: str) -> Iterator[str]:
    """Yield how many users are left out; `per_user`: of one model on each fold."""
    n_users = sum(frame.height for frame in per_user)
    nameless = sum(frame[USER].null_count() for frame in per_user)
    if nameless:
        yield (
            f"{nameless:,} of {n_users:,} users are left out: they "
            "have no id by which to pair them (cold users, which train does not hold)"
        )
    if n_without := n_users - nameless - n_paired:
        yield f"{n_without:,} users are left out: not every model has a value of {metric} for them"
