"""From models to what can be said of their differences."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt, PositiveInt

from twotower.comparison.compared import Compared, models_frame, pairs_frame
from twotower.comparison.history import by_history
from twotower.comparison.pairing import Model, Paired, pair
from twotower.comparison.popularity import RelevantPairs, by_popularity, relevant_pairs
from twotower.comparison.statistics import Floats, bootstrap, holm, paired_permutation
from twotower.comparison.ties import headline, tie_groups
from twotower.errors import ConfigError

__all__ = ["Comparison"]

Share = Annotated[float, Field(gt=0, lt=1)]
_PERMUTATION, _BOOTSTRAP, _HISTORY = range(3)  # streams of chance


@dataclass(frozen=True)
class Comparison:
    """How models are compared; each value is explained in conf/comparison/default.yaml."""

    metric: str
    resamples: Annotated[int, Field(ge=100)]
    alpha: Share
    confidence: Share
    seed: NonNegativeInt
    history_groups: PositiveInt
    popularity_groups: PositiveInt

    def __post_init__(self) -> None:
        """Raises ConfigError where the metric has no depth."""
        if not re.fullmatch(r"\w+_at_[1-9]\d*", self.metric):
            raise ConfigError(
                f"comparison.metric: got {self.metric!r}; valid is a metric with the length of "
                "its lists, such as ndcg_at_10"
            )

    def compare(self, models: Sequence[Model]) -> Compared:
        """Test every pair of models on the users that they share.

        The tests take each model as it was trained, in the mean over its seeds; the intervals also
        hold how its seeds vary. Neither the order of models nor that of rows changes the outcome.

        Raises DataError where the models cannot be compared (see `pair`), and ConfigError where
        they have no values of the metric.
        """
        ranked, paired = _ranked(models, pair(models, self.metric))
        names = [model.name for model in ranked]
        averaged = np.column_stack([values.mean(axis=1) for values in paired.values])
        n_draws, notes = self._permutations(math.comb(len(ranked), 2))
        p_values = paired_permutation(averaged, n_draws, self._generator(_PERMUTATION))
        p_holm = _holm_of_pairs(p_values)
        groups = tie_groups(p_holm, self.alpha)
        drawn = bootstrap(paired.values, self.resamples, self._generator(_BOOTSTRAP))
        interval = drawn.of_means(self.confidence)
        differences = drawn.of_differences(self.confidence)
        pairs = pairs_frame(names, averaged, differences, p_values, p_holm, self.alpha)
        relevant = relevant_pairs(ranked)
        notes += [*(relevant.notes if relevant else ()), *_seeds_may_tell(ranked, pairs)]
        return Compared(
            metric=self.metric,
            alpha=self.alpha,
            confidence=self.confidence,
            n_users=len(averaged),
            models=models_frame(ranked, paired, interval, p_holm, groups),
            pairs=pairs,
            history=self._by_history(names, paired),
            popularity=self._by_popularity(names, relevant),
            headline=headline(names, groups, [model.parameters for model in ranked]),
            notes=(*paired.notes, *notes),
        )

    def _by_history(self, names: Sequence[str], paired: Paired) -> pl.DataFrame:
        generator = self._generator(_HISTORY)
        return by_history(
            names, paired, self.history_groups, self.resamples, self.confidence, generator
        )

    def _by_popularity(
        self, names: Sequence[str], relevant: RelevantPairs | None
    ) -> pl.DataFrame | None:
        if relevant is None:
            return None
        k = int(self.metric.rpartition("_at_")[2])
        return by_popularity(names, relevant, k, self.popularity_groups)

    def _generator(self, stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, stream]))

    def _permutations(self, n_pairs: int) -> tuple[int, list[str]]:
        """So many that the smallest p can be significant after Holm; a note where that is more."""
        needed = math.ceil(n_pairs / self.alpha)
        if needed <= self.resamples:
            return self.resamples, []
        return needed, [
            f"{needed:,} permutations were drawn, not {self.resamples:,} (comparison.resamples): "
            f"after Holm over {n_pairs:,} pairs no fewer could find anything significant at "
            f"{self.alpha}"
        ]


def _seeds_may_tell(models: Sequence[Model], pairs: pl.DataFrame) -> Iterator[str]:
    """A note on differences that are no chance of users but may be one of seeds."""
    if all(len(model.per_user) == 1 for model in models):
        return
    doubtful = pairs.filter("significant", pl.col("low") <= 0, pl.col("high") >= 0).height
    if doubtful:
        yield (
            f"the interval of {doubtful:,} significant differences holds 0: these models differ "
            "as they were trained, but with other seeds they might not"
        )


def _ranked(models: Sequence[Model], paired: Paired) -> tuple[list[Model], Paired]:
    """Best mean first; of equal means the one with fewer parameters, then by name."""

    def key(place: int) -> tuple[float, float, str]:
        size = models[place].parameters
        mean = float(paired.values[place].mean())
        return (-mean, math.inf if size is None else size, models[place].name)

    order = sorted(range(len(models)), key=key)
    values = [paired.values[place] for place in order]
    return [models[place] for place in order], replace(paired, values=values)


def _holm_of_pairs(p_values: Floats) -> Floats:
    """[n_models, n_models], symmetric; the diagonal stays 1."""
    upper = np.triu_indices(len(p_values), 1)
    corrected = np.ones_like(p_values)
    corrected[upper] = holm(p_values[upper])
    return np.minimum(corrected, corrected.T)
