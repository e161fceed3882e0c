"""Pair models user by user, or raise if that is impossible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from twotower.comparison.statistics import Floats
from twotower.core.errors import ConfigError, DataError
from twotower.types import USER

__all__ = [
    "N_SEEN",
    "Fold",
    "Model",
    "Paired",
    "Repeat",
    "pair",
    "shared_folds",
]

Integers = NDArray[np.int64]

N_SEEN = "n_seen"


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


def pair(models: Sequence[Model], metric: str) -> Paired:
    """Return the values of `metric` on the splits that all models were evaluated on.

    Users without an id, and those without a value for one of the models, are left out.

    Raises:
        DataError: there is nothing to compare, names repeat, or splits, evaluations or users
            differ.
        ConfigError: `metric` has no values per user.
    """
    _check_names(models)
    folds, notes = shared_folds(models)
    _check_metric(models, metric)
    paired = [_pair_fold(models, fold, metric) for fold in folds]
    return Paired(
        values=[
            np.concatenate(of_folds) for of_folds in zip(*(p.values for p in paired), strict=True)
        ],
        n_seen=np.concatenate([p.n_seen for p in paired]),
        who=_who([p.users for p in paired]),
        n_folds=len(folds),
        notes=(*notes, *_left_out(folds, paired, metric)),
    )


Fold = list[list[Repeat]]  # for each model its repeats on one split, equally many on every split


def shared_folds(models: Sequence[Model]) -> tuple[list[Fold], list[str]]:
    """Return the splits that all models were evaluated on, and notes on repeats that are left out.

    A model has equally many repeats on each split: the least that it has on any.

    Raises:
        DataError: the models share no split, or were evaluated differently on one.
    """
    by_split = [_by_split(model) for model in models]
    shared = [split for split in by_split[0] if all(split in its for its in by_split)]
    if not shared:
        _refuse_splits(models)
    _check_evaluations(models, by_split, shared)
    notes = []
    counts = [min(len(its[split]) for split in shared) for its in by_split]
    for model, its, count in zip(models, by_split, counts, strict=True):
        if left := sum(map(len, its.values())) - count * len(shared):
            notes.append(
                f"{model.name}: {left:,} of its {len(model.repeats):,} repeats are left out, "
                "which have no counterpart on another fold or for another model"
            )
    folds = [
        [its[split][:count] for its, count in zip(by_split, counts, strict=True)]
        for split in shared
    ]
    return folds, notes


def _by_split(model: Model) -> dict[str, list[Repeat]]:
    found: dict[str, list[Repeat]] = {}
    for repeat in model.repeats:
        found.setdefault(repeat.split, []).append(repeat)
    return found


@dataclass(frozen=True)
class _PairedFold:
    values: list[Floats]  # [n_users, n_seeds] for each model
    n_seen: Integers
    users: pl.Series
    n_without: int  # users without a value for any of the models


def _pair_fold(models: Sequence[Model], fold: Fold, metric: str) -> _PairedFold:
    names = [name for model, its in zip(models, fold, strict=True) for name in _names(model, its)]
    found = [repeat.per_user for its in fold for repeat in its]
    frames = [_sorted(name, frame) for name, frame in zip(names, found, strict=True)]
    for name, frame in zip(names, frames, strict=True):
        _check_users(names[0], frames[0], name, frame)
    together = np.column_stack([frame[metric].to_numpy() for frame in frames]).astype(np.float64)
    whole = np.isfinite(together).all(axis=1)
    if not whole.any():
        raise DataError(f"no user has an id and a value of {metric} for every model")
    n_seen = frames[0][N_SEEN]
    if n_seen.null_count():
        raise DataError(f"{names[0]}: {n_seen.null_count():,} users have no {N_SEEN}")
    ends = np.cumsum([len(its) for its in fold])
    return _PairedFold(
        values=np.split(together[whole], ends[:-1], axis=1),
        n_seen=n_seen.to_numpy()[whole],
        users=frames[0][USER].filter(pl.Series(whole)),
        n_without=int((~whole).sum()),
    )


def _who(users: Sequence[pl.Series]) -> Integers:
    ids = pl.concat([series.rename(USER) for series in users]).to_frame()
    numbers = ids.unique(maintain_order=True).with_row_index("number")
    found = ids.join(numbers, on=USER, how="left", maintain_order="left")["number"]
    return found.cast(pl.Int64).to_numpy()


def _check_names(models: Sequence[Model]) -> None:
    if not models:
        raise DataError("there are no models to compare")
    names = [model.name for model in models]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"names of models must be unique; got several {', '.join(repeated)}")
    if empty := [model.name for model in models if not model.repeats]:
        raise DataError(f"these models have no values per user: {', '.join(empty)}")


def _refuse_splits(models: Sequence[Model]) -> None:
    by_split: dict[str, list[str]] = {}
    for model in models:
        for split in dict.fromkeys(repeat.split for repeat in model.repeats):
            by_split.setdefault(split, []).append(model.name)
    listed = "".join(f"\n  split {d}: {', '.join(names)}" for d, names in by_split.items())
    raise DataError(
        "these models were trained and evaluated on different splits, so their values cannot be "
        "paired by user; compare models with the same dataset, preprocessing and split, "
        f"including its seed:{listed}"
    )


def _check_evaluations(
    models: Sequence[Model], by_split: Sequence[Mapping[str, Sequence[Repeat]]], shared: list[str]
) -> None:
    for split in shared:
        by_evaluation: dict[str, list[str]] = {}
        for model, its in zip(models, by_split, strict=True):
            for evaluation in dict.fromkeys(repeat.evaluation for repeat in its[split]):
                by_evaluation.setdefault(evaluation, []).append(model.name)
        if len(by_evaluation) > 1:
            listed = "".join(f"\n  {e}: {', '.join(names)}" for e, names in by_evaluation.items())
            raise DataError(
                "these models were evaluated differently, so their values cannot be compared; use "
                f"the same evaluation.drop_seen and trainer.refit:{listed}"
            )


def _check_metric(models: Sequence[Model], metric: str) -> None:
    columns = [repeat.per_user.columns for model in models for repeat in model.repeats]
    known = [c for c in columns[0] if all(c in other for other in columns)]
    valid = [c for c in known if c not in (USER, N_SEEN)]
    if metric not in valid:
        lacking = [m.name for m in models if any(metric not in r.per_user for r in m.repeats)]
        raise ConfigError(
            f"metric: got {metric!r}, which has no values per user in "
            f"{', '.join(lacking) or 'any run'} (coverage never has any; evaluation.k and "
            f"evaluation.metrics select what is measured); must be one of "
            f"{', '.join(valid) or 'none'}"
        )


def _names(model: Model, repeats: Sequence[Repeat]) -> list[str]:
    many = len(repeats) > 1
    return [f"{model.name} (repeat {n + 1})" if many else model.name for n in range(len(repeats))]


def _sorted(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the users with an id, sorted by it; raise DataError if one has several rows."""
    known = frame.filter(pl.col(USER).is_not_null()).sort(USER)
    repeated = known.filter(pl.col(USER).is_duplicated())
    if repeated.height:
        raise DataError(f"{name}: user {repeated[USER][0]!r} has several rows")
    return known


def _check_users(first: str, expected: pl.DataFrame, name: str, got: pl.DataFrame) -> None:
    if got[USER].equals(expected[USER]):
        return
    if got[USER].dtype != expected[USER].dtype:
        told = f"{first}: {expected[USER].dtype}, {name}: {got[USER].dtype}"
        raise DataError(f"user ids differ in type, so users cannot be paired: {told}")
    sides = (
        (first, expected.join(got, on=USER, how="anti")[USER], name),
        (name, got.join(expected, on=USER, how="anti")[USER], first),
    )
    told = "; ".join(
        f"{len(only):,} of {has} are not in {lacks}, the first is {only[0]!r}"
        for has, only, lacks in sides
        if len(only)
    )
    raise DataError(f"users differ, so values cannot be paired: {told}")


def _left_out(folds: Sequence[Fold], paired: Sequence[_PairedFold], metric: str) -> Iterator[str]:
    first = [fold[0][0].per_user for fold in folds]
    if nameless := sum(frame[USER].null_count() for frame in first):
        yield (
            f"{nameless:,} of {sum(frame.height for frame in first):,} users are left out: they "
            "have no id by which to pair them (cold users, which train does not hold)"
        )
    if n_without := sum(fold.n_without for fold in paired):
        yield f"{n_without:,} users are left out: not every model has a value of {metric} for them"
