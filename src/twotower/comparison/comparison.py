"""Compare models pair by pair, user by user."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt, PositiveInt

from twotower.comparison.claims import difference_groups, headline, no_worse_p_values, percent
from twotower.comparison.compared import Claims, Compared, models_frame, pairs_frame
from twotower.comparison.history import by_history
from twotower.comparison.model import Model
from twotower.comparison.pairing import Paired, pair
from twotower.comparison.popularity import RelevantPairs, by_popularity, relevant_pairs
from twotower.comparison.statistics import (
    Floats,
    bootstrap,
    holm,
    paired_permutation,
    sums_by_user,
)
from twotower.core.component import component, rule
from twotower.core.errors import ErrorEntry
from twotower.types.metric_name import MetricName

__all__ = ["Comparison"]

Share = Annotated[float, Field(gt=0, lt=1)]
_PERMUTATION, _BOOTSTRAP, _HISTORY, _MARGIN = range(4)  # streams of chance


@component
@dataclass(frozen=True)
class Comparison:
    """How models are compared; conf/comparison/default.yaml explains each value."""

    metric: str | None
    margin: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100)]
    alpha: Share
    confidence: Share
    seed: NonNegativeInt
    history_groups: PositiveInt
    popularity_groups: PositiveInt

    @staticmethod
    @rule
    def metric_has_k(metric: str | None) -> Iterator[ErrorEntry]:
        """Yield an error for the name of a metric without its K."""
        if metric is not None and not re.fullmatch(r"\w+_at_[1-9]\d*", metric):
            valid = "must be a metric with its K, such as ndcg_at_10, or null"
            yield ErrorEntry("metric", metric, valid=valid)

    def compare(self, models: Sequence[Model], metric: str) -> Compared:
        """Test every pair of models on the users and folds that all models share.

        The tests take the trained models as given, averaged over seeds; the intervals also cover
        the variation between seeds. The order of models and of rows does not change the result.

        Args:
            models: to compare.
            metric: used if `comparison.metric` is null, such as `ndcg_at_10`.

        Raises:
            DataError: the models cannot be compared (see `pair`).
            ConfigError: they have no values of the metric.
        """
        metric = self.metric or metric
        ranked, paired = _ranked(models, pair(models, metric))
        names, sizes = [model.name for model in ranked], [model.parameters for model in ranked]
        averaged = np.column_stack([values.mean(axis=1) for values in paired.values])
        n_draws, notes = self._permutations(math.comb(len(ranked), 2))
        claims = self._claims(sums_by_user(averaged, paired.who), n_draws)
        drawn = bootstrap(paired.values, self.resamples, self._generator(_BOOTSTRAP), paired.who)
        interval = drawn.of_means(self.confidence)
        differences = drawn.of_differences(self.confidence)
        pairs = pairs_frame(names, averaged, differences, claims, self.alpha)
        relevant = relevant_pairs(ranked)
        notes += [*(relevant.notes if relevant else ()), *_within_seed_variation(paired, pairs)]
        best_claim = headline(names, claims.no_worse, sizes, self.margin)
        if best_claim is None:
            notes += _undecided(claims, sizes, self.margin)
        return Compared(
            metric=metric,
            alpha=self.alpha,
            confidence=self.confidence,
            margin=self.margin,
            n_users=len(averaged),
            n_folds=paired.n_folds,
            models=models_frame(ranked, paired, interval, claims),
            pairs=pairs,
            metrics=_metrics_frame(ranked),
            history=self._by_history(names, paired),
            popularity=self._by_popularity(names, relevant, metric),
            headline=best_claim,
            notes=(*paired.notes, *notes),
        )

    def _claims(self, sums: Floats, n_draws: int) -> Claims:
        """Test the sums `[n_users, n_models]` of each user's values, the best model first."""
        p_values = paired_permutation(sums, n_draws, self._generator(_PERMUTATION))
        p_holm = _holm_of_pairs(p_values)
        p_no_worse = no_worse_p_values(sums, self.margin, n_draws, self._generator(_MARGIN))
        return Claims(
            p_values,
            p_holm,
            difference_groups(p_holm, self.alpha),
            p_no_worse,
            [True, *(p_no_worse <= self.alpha).tolist()],
        )

    def _by_history(self, names: Sequence[str], paired: Paired) -> pl.DataFrame:
        generator = self._generator(_HISTORY)
        return by_history(
            names, paired, self.history_groups, self.resamples, self.confidence, generator
        )

    def _by_popularity(
        self, names: Sequence[str], relevant: RelevantPairs | None, metric: str
    ) -> pl.DataFrame | None:
        if relevant is None:
            return None
        k = MetricName.parse(metric).k
        assert k is not None, "only a metric with a K is compared"
        return by_popularity(names, relevant, k, self.popularity_groups)

    def _generator(self, stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, stream]))

    def _permutations(self, n_pairs: int) -> tuple[int, list[str]]:
        """Return how many make significance possible after Holm, and a note if that is more."""
        needed = math.ceil(n_pairs / self.alpha)
        if needed <= self.resamples:
            return self.resamples, []
        return needed, [
            f"{needed:,} permutations were drawn, not {self.resamples:,} (comparison.resamples): "
            f"with fewer, no difference could be significant at {self.alpha} after Holm's "
            f"correction for {n_pairs:,} pairs"
        ]


def _within_seed_variation(paired: Paired, pairs: pl.DataFrame) -> Iterator[str]:
    """Yield a note on significant differences that may be due to the choice of seeds."""
    if all(values.shape[1] == 1 for values in paired.values):
        return
    doubtful = pairs.filter("significant", pl.col("low") <= 0, pl.col("high") >= 0).height
    if doubtful:
        yield (
            f"the intervals of {doubtful:,} significant differences contain 0: these models "
            "differ, but might not if trained with other seeds"
        )


def _undecided(claims: Claims, sizes: Sequence[float | None], margin: float) -> Iterator[str]:
    """Yield a note on smaller models that are shown neither to be worse nor to be no worse."""
    best = sizes[0]
    smaller = [
        place
        for place, (group, size) in enumerate(zip(claims.groups, sizes, strict=True))
        if group == 1 and size is not None and best is not None and size < best
    ]
    if smaller:
        yield (
            f"{len(smaller):,} smaller models are shown neither to differ from the best nor to be "
            f"no worse within {percent(margin)} (comparison.margin): there are too few users"
        )


def _metrics_frame(models: Sequence[Model]) -> pl.DataFrame:
    """Return `Compared.metrics`, of the metrics that all models have."""
    rows = [
        (model.name, metric, model.values[metric])
        for model in models
        for metric in models[0].values
        if all(metric in other.values for other in models)
    ]
    schema = {"name": pl.String, "metric": pl.String, "mean": pl.Float64}
    return pl.DataFrame(rows, schema, orient="row")


def _ranked(models: Sequence[Model], paired: Paired) -> tuple[list[Model], Paired]:
    """Sort by mean, the best first; then by number of parameters, then by name."""

    def key(place: int) -> tuple[float, float, str]:
        size = models[place].parameters
        mean = float(paired.values[place].mean())
        return (-mean, math.inf if size is None else size, models[place].name)

    order = sorted(range(len(models)), key=key)
    values = [paired.values[place] for place in order]
    return [models[place] for place in order], replace(paired, values=values)


def _holm_of_pairs(p_values: Floats) -> Floats:
    """Return corrected p-values `[n_models, n_models]`, symmetric, with 1 on the diagonal."""
    upper = np.triu_indices(len(p_values), 1)
    corrected = np.ones_like(p_values)
    corrected[upper] = holm(p_values[upper])
    return np.minimum(corrected, corrected.T)
