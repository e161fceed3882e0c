"""From a scorer and a fold to recommendations, and from them to metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt

from twotower.core.component import component, rule
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.core.numbers import score
from twotower.dataset.digest import frames_digest
from twotower.evaluation.frames import ids_of
from twotower.evaluation.groups import (
    GroupMetrics,
    features_to_group,
    item_groups,
    user_groups,
)
from twotower.evaluation.lists import JudgedLists, Values
from twotower.evaluation.metric import CatalogueMetric, Metric
from twotower.evaluation.metrics import DEFINITION, KnownMetric, measured_by
from twotower.evaluation.ranking import held_bytes, top_k
from twotower.evaluation.ranking_progress import ranking_progress
from twotower.evaluation.sample import sampled
from twotower.types import USER, Fold, Recommendations, Scorer
from twotower.types.metric_name import MetricName

__all__ = ["Evaluation", "Measured"]


@dataclass(frozen=True)
class Measured:
    """Metrics by name, such as `ndcg_at_10`.

    Attributes:
        values: The metrics.
        intervals: Low and high end of each mean over users, mean -+ z * s / sqrt(n) (RePlay's
            ConfidenceInterval is the half-width). A CatalogueMetric has none, nor has a mean over
            fewer than two users.
        per_user: One row per user of the holdout: `user_id` (null if the vocabulary has no id for a
            cold user), `n_seen` (Int64, length of the user's history), and a Float64 column per
            UserMetric and K.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    per_user: pl.DataFrame

    def text(self, name: str) -> str:
        """Return the value, and half of its interval if it has one: `0.1641 ± 0.0494`."""
        low, high = self.intervals.get(name, (0.0, 0.0))
        half = (high - low) / 2 if name in self.intervals else None
        return score(self.values[name], half)


@component
@dataclass(frozen=True)
class Evaluation:
    """Which lists are made, and how they are evaluated; conf/evaluation documents the fields."""

    k: PositiveInt | Annotated[list[PositiveInt], Field(min_length=1)]
    metrics: Annotated[list[KnownMetric | Metric], Field(min_length=1)]
    monitor: str
    test: Literal["best", "all", "never"]
    validation_users: PositiveInt | Literal["auto", "all"]
    drop_seen: bool
    block_scores: PositiveInt
    confidence: Annotated[float, Field(gt=0, lt=1)]
    by: str | list[str] | None

    @staticmethod
    @rule
    def monitor_is_measured(
        monitor: str, metrics: Sequence[KnownMetric | Metric]
    ) -> Iterator[ErrorEntry]:
        """Yield an error if models cannot be chosen by `monitor`."""
        measured = measured_by(metrics)
        names = [name for name, metric in measured.items() if metric.higher_is_better]
        if monitor not in names:
            wrong = "of which lower is better" if monitor in measured else "which is not measured"
            valid = f"must be one of evaluation.metrics: {', '.join(names) or 'none'}"
            yield ErrorEntry("monitor", monitor, wrong, valid)

    @property
    def measured_metrics(self) -> dict[str, Metric]:
        """The metrics by name, each once, in the order of the config."""
        return measured_by(self.metrics)

    @property
    def cutoffs(self) -> list[int]:
        """Every K once, in the order of the config."""
        return list(dict.fromkeys([self.k] if isinstance(self.k, int) else self.k))

    @property
    def monitor_name(self) -> str:
        """The metric that models are chosen by, such as `ndcg_at_10`; higher is better."""
        return str(MetricName(self.monitor, self.cutoffs[0]))

    @property
    def val_monitor(self) -> str:
        """`monitor_name` as it is logged on the validation part, such as `val/ndcg_at_10`."""
        return str(MetricName.parse(self.monitor_name).on("val"))

    def conditions(self, fold: Fold) -> str:
        """Return, as JSON, what a metric at some K depends on in addition to the model.

        Models can be compared only if this is equal: which items compete and which of them are
        dropped, the number of users and relevant pairs, and the definition of the metrics. Where
        the users are a sample, `sampled_from` is how many there are.
        """
        items = fold.vocabulary.items.sort().to_frame("item_id")
        holdout = fold.holdout
        conditions = {
            "drop_seen": self.drop_seen,
            "users": len(holdout.users),
            "relevant": len(holdout.relevant.items),
            "seen": len(holdout.seen.items) if self.drop_seen else 0,
            "candidates": items.height,
            "candidates_digest": frames_digest({"candidates": items})[:12],
            "definition": DEFINITION,
        }
        if holdout.sampled_from is not None:
            conditions["sampled_from"] = holdout.sampled_from
        return json.dumps(conditions)

    def held_bytes(self, n_items: int) -> int:
        """Return the memory that ranking `n_items` by embeddings takes at its peak."""
        return held_bytes(self.block_scores, n_items)

    def validated(self, fold: Fold) -> Fold:
        """Return the fold of a validation part with the users that `validation_users` keeps.

        They depend on the fold and `validation_users` alone: every epoch, every trial and every
        baseline is validated on the same ones.
        """
        return sampled(fold, self.validation_users)

    def recommend(self, scorer: Scorer, fold: Fold, title: str | None = None) -> Recommendations:
        """Return lists of the largest K for the users of the holdout.

        Args:
            scorer: Scores all items.
            fold: The fold of the holdout.
            title: What is ranked, for the display of progress; None shows none.
        """
        with ranking_progress(title, len(fold.holdout.users)) as progress:
            return top_k(
                scorer,
                fold.holdout.users,
                k=max(self.cutoffs),
                drop=fold.holdout.seen if self.drop_seen else None,
                block_scores=self.block_scores,
                progress=progress,
            )

    def measure(self, recommendations: Recommendations, fold: Fold) -> Measured:
        """Return all metrics at all K.

        Raises:
            ConfigError: The lists are shorter than the largest K.
            DataError: The lists are not those of the holdout.
        """
        width, deepest = recommendations.items.shape[1], max(self.cutoffs)
        if width < deepest:
            raise ConfigError(
                f"evaluation.k: got {deepest}, but the recommendations are lists of {width}; "
                f"must be from 1 to {width}"
            )
        lists = JudgedLists.of(recommendations, fold)
        values: dict[str, float] = {}
        intervals: dict[str, tuple[float, float]] = {}
        n_seen = pl.Series("n_seen", fold.holdout.seen.lengths.numpy())
        columns = [ids_of(fold.vocabulary.users, lists.users).alias(USER), n_seen]
        for name, metric in self.measured_metrics.items():
            for k in self.cutoffs:
                full_name = str(MetricName(name, k))
                if isinstance(metric, CatalogueMetric):
                    values[full_name] = metric.of_lists(lists, k)
                    continue
                of_users = metric.per_user(lists, k)
                averaged = metric.averaged(lists, of_users)
                values[full_name] = float(np.mean(averaged)) if len(averaged) else 0.0
                if len(averaged) > 1:
                    intervals[full_name] = self._interval(averaged)
                columns.append(pl.Series(full_name, of_users))
        return Measured(values, intervals, pl.DataFrame(columns))

    def check_features(self, users: pl.DataFrame | None, items: pl.DataFrame | None) -> None:
        """Raise ConfigError if `by` names what is no feature of these tables."""
        features_to_group(self._by, users, items)

    def measure_groups(
        self, recommendations: Recommendations, fold: Fold, measured: Measured
    ) -> list[GroupMetrics]:
        """Return the metrics of the groups of each feature of `by`.

        Args:
            recommendations: The lists of the holdout's users.
            fold: The fold of the holdout.
            measured: What `measure` returned for them.
        """
        return [
            user_groups(feature, measured.per_user, fold, self._interval)
            if feature.kind == "user"
            else item_groups(feature, recommendations, fold, self.cutoffs)
            for feature in features_to_group(self._by, fold.user_features, fold.item_features)
        ]

    @property
    def _by(self) -> list[str]:
        return [self.by] if isinstance(self.by, str) else list(self.by or ())

    def _interval(self, averaged: Values) -> tuple[float, float]:
        mean = float(np.mean(averaged))
        z = NormalDist().inv_cdf((1 + self.confidence) / 2)
        half = z * float(np.std(averaged, ddof=1)) / math.sqrt(len(averaged))
        return mean - half, mean + half
