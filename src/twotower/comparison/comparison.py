"""From models to what can be said of their differences."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from twotower.comparison.breakdowns import by_history, by_popularity
from twotower.comparison.compared import Compared, models_frame, pairs_frame
from twotower.comparison.pairing import Model, Paired, pair
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
        averaged = np.column_stack([values.mean(axis=1) for values in paired.values])
        n_pairs = math.comb(len(ranked), 2)
        # So many that the smallest p can be significant after Holm.
        n_draws = max(self.resamples, math.ceil(n_pairs / self.alpha))
        p_values = paired_permutation(averaged, n_draws, self._generator(_PERMUTATION))
        p_holm = _holm_of_pairs(p_values)
        groups = tie_groups(p_holm, self.alpha)
        drawn = bootstrap(paired.values, self.resamples, self._generator(_BOOTSTRAP))
        return Compared(
            metric=self.metric,
            alpha=self.alpha,
            confidence=self.confidence,
            n_users=len(averaged),
            models=models_frame(
                ranked,
                [values.mean(axis=0) for values in paired.values],
                drawn.of_means(self.confidence),
                p_holm,
                groups,
            ),
            pairs=pairs_frame(
                ranked,
                averaged.mean(axis=0),
                drawn,
                self.confidence,
                p_values,
                p_holm,
                self.alpha,
            ),
            history=by_history(
                [model.name for model in ranked],
                paired,
                self.history_groups,
                self.resamples,
                self.confidence,
                self._generator(_HISTORY),
            ),
            popularity=by_popularity(ranked, self._depth, self.popularity_groups),
            headline=headline(
                [model.name for model in ranked], groups, [model.parameters for model in ranked]
            ),
            notes=(*paired.notes, *self._notes(n_draws, n_pairs)),
        )

    @property
    def _depth(self) -> int:
        return int(self.metric.rpartition("_at_")[2])

    def _generator(self, stream: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, stream]))

    def _notes(self, n_draws: int, n_pairs: int) -> Iterator[str]:
        if n_draws > self.resamples:
            yield (
                f"{n_draws:,} permutations were drawn, not {self.resamples:,} "
                f"(comparison.resamples): after Holm over {n_pairs:,} pairs no fewer could find "
                f"anything significant at {self.alpha}"
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
