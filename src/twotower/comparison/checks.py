"""Reasons why models cannot be paired user by user."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NoReturn

import polars as pl

from twotower.comparison.model import Model
from twotower.core.errors import ConfigError, DataError
from twotower.types import USER

__all__ = ["check_evaluations", "check_metric", "check_models", "check_users", "refuse_splits"]


def check_models(models: Sequence[Model]) -> None:
    """Raise DataError if there are none, names repeat, or one has no values."""
    if not models:
        raise DataError("there are no models to compare")
    names = [model.name for model in models]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"names of models must be unique; got several {', '.join(repeated)}")
    if empty := [model.name for model in models if not model.repeats]:
        raise DataError(f"these models have no values per user: {', '.join(empty)}")


def check_metric(models: Sequence[Model], metric: str, others: Collection[str]) -> None:
    """Raise ConfigError unless all repeats have values of `metric`; `others` are no metrics."""
    columns = [repeat.per_user.columns for model in models for repeat in model.repeats]
    known = [c for c in columns[0] if all(c in other for other in columns)]
    valid = [c for c in known if c not in others]
    if metric not in valid:
        lacking = [m.name for m in models if any(metric not in r.per_user for r in m.repeats)]
        raise ConfigError(
            f"metric: got {metric!r}, which has no values per user in "
            f"{', '.join(lacking) or 'any run'} (coverage never has any; evaluation.k and "
            f"evaluation.metrics select what is measured); must be one of "
            f"{', '.join(valid) or 'none'}"
        )


def refuse_splits(models: Sequence[Model]) -> NoReturn:
    """Raise DataError with the models of each split."""
    found = ((f"split {split}", model.name) for model in models for split in model.by_split)
    raise DataError(
        "these models were trained and evaluated on different splits, so their values cannot be "
        "paired by user; compare models with the same dataset, preprocessing and split, "
        f"including its seed:{_listed(found)}"
    )


def check_evaluations(models: Sequence[Model], split: str) -> None:
    """Raise DataError if models were evaluated differently on a split that all have."""
    found = [(repeat.evaluation, m.name) for m in models for repeat in m.by_split[split]]
    if len({evaluation for evaluation, _ in found}) > 1:
        raise DataError(
            "these models were evaluated differently, so their values cannot be compared; use "
            "the same evaluation.drop_seen, evaluation.validation_users and trainer.refit:"
            f"{_listed(found)}"
        )


def check_users(first: str, expected: pl.DataFrame, name: str, got: pl.DataFrame) -> None:
    """Raise DataError if a user has several rows, or the users of two models differ.

    Args:
        first: a model.
        expected: its values, sorted by user.
        name: another one.
        got: its values, sorted by user.
    """
    repeated = got[USER].filter(got[USER].is_duplicated())
    if len(repeated):
        raise DataError(f"{name}: user {repeated[0]!r} has several rows")
    if got[USER].equals(expected[USER]):
        return
    if got[USER].dtype != expected[USER].dtype:
        types = f"{first}: {expected[USER].dtype}, {name}: {got[USER].dtype}"
        raise DataError(f"user ids differ in type, so users cannot be paired: {types}")
    sides = (
        (first, expected.join(got, on=USER, how="anti")[USER], name),
        (name, got.join(expected, on=USER, how="anti")[USER], first),
    )
    differences = "; ".join(
        f"{len(only):,} of {has} are not in {lacks}, the first is {only[0]!r}"
        for has, only, lacks in sides
        if len(only)
    )
    raise DataError(f"users differ, so values cannot be paired: {differences}")


def _listed(found: Iterable[tuple[str, str]]) -> str:
    """Return a line for each key with the names of its models."""
    names: dict[str, dict[str, None]] = {}
    for key, name in found:
        names.setdefault(key, {})[name] = None
    return "".join(f"\n  {key}: {', '.join(its)}" for key, its in names.items())
