"""Recent popularity: the same ranking for every user, by recent interactions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import PositiveFloat
from torch import Tensor

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.types import OneRanking, Scorer, TrainInteractions, ages_in_days, half_life_weights

__all__ = ["RecentPopularity"]


@component
@dataclass(frozen=True)
class RecentPopularity:
    """Ranks items by the total weight of their interactions: 2^(-age / half_life), 0 beyond `days`.

    Age is in days before the newest interaction of the train part (Ji et al. 2020, SIGIR, "A
    re-visit of the popularity baseline in recommender systems"). Items of equal weight, such as all
    without a recent interaction, are ranked by their number of train interactions.

    Attributes:
        days: Age up to which interactions count; None: all.
        half_life: Days after which an interaction counts half as much; None: all count the same.

    Example:
        Item 0 has two interactions, 10 days old: 2 * 2^-10. Item 1 has a new one. Scores are ranks.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> day = 86_400_000_000
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 1, 0]),
        ...     items=torch.tensor([0, 0, 1]),
        ...     n_users=2,
        ...     n_items=2,
        ...     timestamps=torch.tensor([0, 0, 10 * day]),
        ... )
        >>> scorer = RecentPopularity(days=None, half_life=1.0).fit(train)
        >>> scorer.score_all(torch.tensor([0]))
        tensor([[0., 1.]])
    """

    days: PositiveFloat | None
    half_life: PositiveFloat | None

    def fit(self, train: TrainInteractions) -> Scorer:
        """Return the fitted scorer; see Baseline.

        Raises:
            DataError: If the train part has no timestamps.
        """
        if train.moments is None:
            raise DataError(
                "baselines.recent_popularity needs the time of each interaction, and the log has "
                "none (dataset.timestamp_unit=order gives an order alone): set "
                "dataset.columns.timestamp, or use `popularity` instead"
            )
        weights = torch.bincount(train.items, self._weights(train.moments), train.n_items)
        by_both = torch.stack([weights, train.item_counts.double()], dim=1)
        # Rows are sorted by weight, then by count: their ranks preserve both.
        return OneRanking(torch.unique(by_both, dim=0, return_inverse=True)[1].float())

    def _weights(self, moments: Tensor) -> Tensor:
        """Return the weight [n] float64 of each interaction."""
        ages = ages_in_days(moments)
        weights = torch.ones_like(ages)
        if self.half_life is not None:
            weights = half_life_weights(ages, self.half_life)
        return weights if self.days is None else weights.where(ages <= self.days, 0.0)
