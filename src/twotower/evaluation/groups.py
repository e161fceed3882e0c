"""Metrics of groups of users, or of items, that share the value of a feature."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from twotower.config.suggest import suggest
from twotower.core.errors import ConfigError
from twotower.evaluation.feature_groups import MISSING, group_labels, groupable
from twotower.evaluation.lists import Values
from twotower.types import USER, Fold, Recommendations
from twotower.types.metric_name import MetricName

__all__ = ["Feature", "GroupMetrics", "features_to_group", "item_groups", "user_groups"]

MOST_GROUPS = 20  # of a feature; the others are left out, with a note
_LONGEST = 80  # characters of a group in the name of a metric
FEW = 20  # users, or pairs, below which a mean is uncertain

Kind = Literal["user", "item"]


@dataclass(frozen=True)
class Feature:
    """A column of features of users or items."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class GroupMetrics:
    """Metrics by the groups of one feature.

    Attributes:
        feature: The feature.
        counted: What `sizes` count: users of the holdout, or relevant pairs.
        sizes: By group, in the order in which they are shown.
        values: By group and bare name of the metric, such as `ndcg_at_10`.
        intervals: Low and high end of means over users, by group and name.
        notes: What to know about the groups, a sentence each.
    """

    feature: Feature
    counted: str
    sizes: dict[str, int]
    values: dict[str, dict[str, float]]
    intervals: dict[str, dict[str, tuple[float, float]]]
    notes: tuple[str, ...]

    def logged(self, part: str) -> dict[str, float]:
        """Return the values by their names in MLflow, such as `test/by_gender/F/ndcg_at_10`."""
        safe = _distinct([_safe(group) for group in self.sizes])
        return {
            str(MetricName.parse(metric).on(part, f"by_{_safe(self.feature.name)}/{name}")): value
            for group, name in zip(self.sizes, safe, strict=True)
            for metric, value in self.values[group].items()
        }


def features_to_group(
    by: Sequence[str], users: pl.DataFrame | None, items: pl.DataFrame | None
) -> list[Feature]:
    """Return the features that `evaluation.by` names.

    Args:
        by: Names of columns; the prefix `user.` or `item.` distinguishes two of one name.
        users: Features of users, one column each.
        items: Features of items.

    Raises:
        ConfigError: There is no such feature, or its values form no groups.
    """
    sides: dict[Kind, pl.DataFrame | None] = {"user": users, "item": items}
    tables = {kind: frame for kind, frame in sides.items() if frame is not None}
    known = {
        f"{kind}.{name}": Feature(kind, name)
        for kind, frame in tables.items()
        for name in frame.columns
        if name != f"{kind}_id"
    }
    found = []
    for name in by:
        named = [known[name]] if name in known else [f for f in known.values() if f.name == name]
        if len(named) != 1:
            problem = "both users and items have it" if named else "there is no such feature"
            names = {f"{f.kind}.{f.name}" if named else f.name for f in named or known.values()}
            hint = suggest(name, names) if names else "the dataset has no features; must be null"
            raise ConfigError(f"evaluation.by: got {name!r}, but {problem}; {hint}")
        column = tables[named[0].kind][named[0].name]
        if not groupable(column.dtype):
            raise ConfigError(
                f"evaluation.by: got {name!r}, a column of {column.dtype}; must have numbers, "
                "strings, booleans, dates, or lists of strings or integers"
            )
        found.append(named[0])
    return found


def user_groups(
    feature: Feature,
    per_user: pl.DataFrame,
    fold: Fold,
    interval: Callable[[Values], tuple[float, float]],
) -> GroupMetrics:
    """Return the means over the users of each group.

    Args:
        feature: Of users.
        per_user: `Measured.per_user`: a row per user of the holdout.
        fold: The fold of the holdout.
        interval: Returns low and high end of the interval of a mean.
    """
    labels = group_labels(_column(feature, fold), fold.holdout.users.numpy())
    names = [name for name in per_user.columns if name not in (USER, "n_seen")]
    sizes, notes = _shown(feature, labels["group"], "users")
    values: dict[str, dict[str, float]] = {group: {} for group in sizes}
    intervals: dict[str, dict[str, tuple[float, float]]] = {group: {} for group in sizes}
    for group in sizes:
        members = per_user[labels.filter(pl.col("group") == group)["place"]]
        for name in names:
            known = members[name].drop_nans().to_numpy()
            if len(known):
                values[group][name] = float(np.mean(known))
            if len(known) > 1:
                intervals[group][name] = interval(known)
    return GroupMetrics(feature, "users", sizes, values, intervals, notes)


def item_groups(
    feature: Feature, recommendations: Recommendations, fold: Fold, cutoffs: Sequence[int]
) -> GroupMetrics:
    """Return `recall` and `share` of each group of items.

    Recall is the share of the group's relevant pairs that are found, over all users together; share
    is that of all recommendations that are items of the group.

    Args:
        feature: Of items.
        recommendations: The lists of the holdout's users.
        fold: The fold of the holdout.
        cutoffs: Every K.
    """
    column, relevant = _column(feature, fold), fold.holdout.relevant
    found = recommendations.items[relevant.rows] == relevant.items[:, None]  # [n, K]
    ranks = torch.where(found.any(1), found.int().argmax(1), found.shape[1]).numpy() + 1
    users, places = np.nonzero(recommendations.items.numpy() >= 0)
    pairs = group_labels(column, relevant.items.numpy())
    listed = group_labels(column, recommendations.items.numpy()[users, places])
    sizes, notes = _shown(feature, pairs["group"], "relevant pairs", listed["group"])
    values: dict[str, dict[str, float]] = {group: {} for group in sizes}
    for k in cutoffs:
        hits = _counts(pairs, ranks <= k)
        shown = _counts(listed, places < k)
        total = max(int((places < k).sum()), 1)
        for group, size in sizes.items():
            if size:
                values[group][str(MetricName("recall", k))] = hits.get(group, 0) / size
            values[group][str(MetricName("share", k))] = shown.get(group, 0) / total
    return GroupMetrics(feature, "relevant pairs", sizes, values, {}, notes)


def _column(feature: Feature, fold: Fold) -> pl.Series:
    """Return the feature of all rows of the fold."""
    side = fold.user_features if feature.kind == "user" else fold.item_features
    assert side is not None
    return side[feature.name]


def _counts(labels: pl.DataFrame, counted: NDArray[np.bool_]) -> dict[str, int]:
    """Return how many places of each group are `counted` ([n] bool)."""
    kept = labels.filter(pl.Series(counted[labels["place"].to_numpy()]))
    return dict(kept["group"].value_counts().iter_rows())


def _shown(
    feature: Feature, counted: pl.Series, what: str, more: pl.Series | None = None
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the sizes of the groups that are shown, and notes.

    Args:
        feature: For the notes.
        counted: The group of each user or pair.
        what: What `counted` counts.
        more: Groups that are shown too, of size 0.
    """
    sizes = dict(counted.value_counts().iter_rows())
    for group in [] if more is None else more.unique():
        sizes.setdefault(group, 0)
    largest = sorted(sizes, key=lambda group: (-sizes[group], group))
    kept = largest[:MOST_GROUPS]
    notes = []
    if len(largest) > len(kept):
        notes.append(
            f"evaluation.by={feature.name}: {len(largest):,} groups; the {MOST_GROUPS} with the "
            f"most {what} are shown"
        )
    if few := [group for group in kept if sizes[group] < FEW]:
        named = ", ".join(few[:5]) + (", ..." if len(few) > 5 else "")
        notes.append(
            f"evaluation.by={feature.name}: fewer than {FEW} {what} in {len(few)} of "
            f"{len(kept)} groups ({named}), whose values are uncertain"
        )
    in_order = sorted(kept, key=lambda group: (group == MISSING, *_natural(group)))
    return {group: sizes[group] for group in in_order}, tuple(notes)


def _natural(group: str) -> tuple[float, str]:
    """Return a key that sorts numbers by size, and before words."""
    number = re.match(r"-?\d+(\.\d+)?", group)
    return (float(number[0]) if number else math.inf, group)


def _safe(name: str) -> str:
    """Return `name` with characters that MLflow refuses replaced."""
    safe = re.sub(r"[^\w.: -]", "_", name).strip()[:_LONGEST]
    return safe if safe.strip(".") else "_" * max(len(safe), 1)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, with a number after those that are not the first of their kind."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return found
