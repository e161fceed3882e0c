"""Models brought together user by user, or refused where they cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from twotower.comparison.statistics import Floats
from twotower.errors import ConfigError, DataError
from twotower.types import USER

__all__ = ["N_SEEN", "Model", "Paired", "pair"]

N_SEEN = "n_seen"


@dataclass(frozen=True)
class Model:
    """A trained model, or one setting trained with several seeds, and how it was judged.

    per_user: one frame a seed, one row a judged user: `user_id` (null: a cold user without an id),
        `n_seen` (Int64, length of the history), a Float64 column a metric such as `ndcg_at_10`.
    relevant: one frame a seed, one row a held-out relevant pair: `user_id`, `item_id`,
        `popularity` (Int64, interactions of the item in train), `rank` (Int64 from 1; null where
        the item is not in the user's list); None where that is not known.
    parameters: how many the model learns; None where that is not known.
    split_digest: identity of the split that it was trained and judged on.
    """

    name: str
    per_user: list[pl.DataFrame]
    relevant: list[pl.DataFrame] | None
    parameters: float | None
    split_digest: str


@dataclass(frozen=True)
class Paired:
    """Values of one metric; row u is of the same user everywhere, users in order of their ids.

    values: [n_users, n_seeds] for each model.
    n_seen: [n_users] int64.
    notes: what was left out, in sentences.
    """

    values: list[Floats]
    n_seen: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    notes: tuple[str, ...]


def pair(models: Sequence[Model], metric: str) -> Paired:
    """The models' values of `metric`.

    Users without an id, and those without a value for any of the models, are left out.

    Raises DataError where there is nothing to compare, names repeat, splits or users differ, and
    ConfigError where `metric` has no values by user.
    """
    _check_names(models)
    _check_digests(models)
    _check_metric(models, metric)
    names = [name for model in models for name in _frame_names(model)]
    found = [frame for model in models for frame in model.per_user]
    frames = [_sorted(name, frame) for name, frame in zip(names, found, strict=True)]
    for name, frame in zip(names, frames, strict=True):
        _check_users(names[0], frames[0], name, frame)
    together = np.column_stack([frame[metric].to_numpy() for frame in frames]).astype(np.float64)
    whole = np.isfinite(together).all(axis=1)
    if not whole.any():
        raise DataError(f"there is no user with an id and with {metric} for every model")
    ends = np.cumsum([len(model.per_user) for model in models])
    n_seen = frames[0][N_SEEN]
    if n_seen.null_count():
        raise DataError(f"{names[0]}: {n_seen.null_count():,} users have no {N_SEEN}")
    return Paired(
        values=np.split(together[whole], ends[:-1], axis=1),
        n_seen=n_seen.to_numpy()[whole],
        notes=tuple(_notes(models[0].per_user[0], int((~whole).sum()), metric)),
    )


def _check_names(models: Sequence[Model]) -> None:
    if not models:
        raise DataError("there are no models to compare")
    names = [model.name for model in models]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"models must differ in name; there are several {', '.join(repeated)}")
    if empty := [model.name for model in models if not model.per_user]:
        raise DataError(f"these models have no values by user: {', '.join(empty)}")


def _check_digests(models: Sequence[Model]) -> None:
    by_digest: dict[str, list[str]] = {}
    for model in models:
        by_digest.setdefault(model.split_digest, []).append(model.name)
    if len(by_digest) > 1:
        told = "".join(f"\n  split {d}: {', '.join(names)}" for d, names in by_digest.items())
        raise DataError(
            "these models were trained and judged on different splits, so they met other users or "
            "other items and their values cannot be paired by user; compare models of one dataset, "
            f"preprocessing and split (also one seed of the split):{told}"
        )


def _check_metric(models: Sequence[Model], metric: str) -> None:
    columns = [set(frame.columns) for model in models for frame in model.per_user]
    known = [c for c in models[0].per_user[0].columns if all(c in other for other in columns)]
    valid = [c for c in known if c not in (USER, N_SEEN)]
    if metric not in valid:
        lacking = [m.name for m in models if any(metric not in f.columns for f in m.per_user)]
        raise ConfigError(
            f"metric: got {metric!r}, of which {', '.join(lacking) or 'nothing'} has no values by "
            f"user (coverage never has any); valid are {', '.join(valid) or 'none'}"
        )


def _frame_names(model: Model) -> list[str]:
    many = len(model.per_user) > 1
    return [
        f"{model.name} (repeat {n + 1})" if many else model.name for n in range(len(model.per_user))
    ]


def _sorted(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Users with an id, in order of it. Raises DataError where one has several rows."""
    known = frame.filter(pl.col(USER).is_not_null()).sort(USER)
    repeated = known.filter(pl.col(USER).is_duplicated())
    if repeated.height:
        raise DataError(f"{name}: user {repeated[USER][0]!r} has several rows of values")
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


def _notes(frame: pl.DataFrame, n_without: int, metric: str) -> Iterator[str]:
    if nameless := frame[USER].null_count():
        yield (
            f"{nameless:,} of {frame.height:,} users are left out: they have no id by which to "
            "pair them (cold users, which train does not hold)"
        )
    if n_without:
        yield f"{n_without:,} users are left out: not every model has a value of {metric} for them"
