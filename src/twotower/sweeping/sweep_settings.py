"""The settings in conf/train.yaml that concern several runs, or how they are compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt

from twotower.comparison import Comparison
from twotower.core.component import component, rule
from twotower.core.errors import ErrorEntry
from twotower.evaluation import Evaluation
from twotower.evaluation.metric import UserMetric
from twotower.tracking.base import Tracking
from twotower.types.metric_name import MetricName

__all__ = ["SweepSettings"]


@component
@dataclass(frozen=True)
class SweepSettings:
    """What a sweep reads of conf/train.yaml; its trials are described by `Experiment`.

    `seeds` and `folds` are rewritten as sweeps over `seed` and `split.fold` before a config is
    composed, so a composed config has 1 and null.

    >>> from twotower import config
    >>> composed = config.compose("train", ["comparison.margin=0.1"])
    >>> settings = config.build_as(SweepSettings, composed)
    >>> settings.comparison.margin, settings.evaluation.test
    (0.1, 'best')
    """

    seeds: PositiveInt
    folds: Annotated[int, Field(ge=2)] | None
    run_name: str | None
    evaluation: Evaluation
    comparison: Comparison
    tracking: Tracking

    @staticmethod
    @rule
    def compared_per_user(comparison: Comparison, evaluation: Evaluation) -> Iterator[ErrorEntry]:
        """Yield an error if settings are to be compared by a metric without values per user."""
        measured = evaluation.measured_metrics.values()
        names = [
            str(MetricName(metric.name, k))
            for metric in measured
            if isinstance(metric, UserMetric) and metric.higher_is_better
            for k in evaluation.cutoffs
        ]
        if comparison.metric is not None and comparison.metric not in names:
            yield ErrorEntry(
                "comparison.metric",
                comparison.metric,
                "which is not measured per user (evaluation.metrics, evaluation.k)",
                f"must be null or one of {', '.join(names) or 'none'}",
            )

    @staticmethod
    @rule
    def one_run(seeds: int, folds: int | None) -> Iterator[ErrorEntry]:
        """Yield an error for each key that asks for several runs."""
        if seeds != 1:
            yield ErrorEntry(
                "seeds",
                seeds,
                "one run per seed",
                "must be 1 in a single run, whose seed is `seed`; `twotower train seeds=5` "
                "runs five",
            )
        if folds is not None:
            yield ErrorEntry(
                "folds",
                folds,
                "one run per fold",
                "must be null in a single run, with split=k_folds and `split.fold` to choose the "
                "fold; `twotower train folds=5` runs five",
            )
