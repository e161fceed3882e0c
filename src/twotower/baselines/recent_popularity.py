"""Recent popularity: what is popular now, the same ranking for everybody."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import PositiveFloat
from torch import Tensor

from twotower.baselines.popularity import Counts
from twotower.core.errors import DataError
from twotower.types import Scorer, TrainInteractions, ages_in_days, half_life_weights

__all__ = ["RecentPopularity"]


@dataclass(frozen=True)
class RecentPopularity:
    """Items by the weight of their interactions: 2^(-age / half_life), 0 beyond `days`.

    Age counts in days from the newest interaction of the train part (Ji et al. 2020, SIGIR, "A
    re-visit of the popularity baseline in recommender systems"). Items of one weight, such as all
    without a recent interaction, come by their number of train interactions.
    """

    days: PositiveFloat | None
    half_life: PositiveFloat | None

    def fit(self, train: TrainInteractions) -> Scorer:
        """See Baseline. Raises DataError where the train part has no moments in time."""
        if train.moments is None:
            raise DataError(
                "baselines.recent_popularity needs the time of each interaction, and the log has "
                "none (dataset.timestamp_unit=order gives an order alone): set "
                "dataset.columns.timestamp, or take `popularity` in its place"
            )
        weights = torch.bincount(train.items, self._weights(train.moments), train.n_items)
        by_both = torch.stack([weights, train.item_counts.double()], dim=1)
        # Rows are sorted by weight, then by count: their places are scores that keep both.
        return Counts(torch.unique(by_both, dim=0, return_inverse=True)[1].float())

    def _weights(self, moments: Tensor) -> Tensor:
        """Return the weight [n] float64 of each interaction."""
        ages = ages_in_days(moments)
        weights = torch.ones_like(ages)
        if self.half_life is not None:
            weights = half_life_weights(ages, self.half_life)
        return weights if self.days is None else weights.where(ages <= self.days, 0.0)
