"""The prior by recent popularity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.tower.prior.base import ItemPrior
from twotower.types import Side, TrainInteractions, ages_in_days, half_life_weights

__all__ = ["RecentPopularityPrior"]


@component
@dataclass(frozen=True)
class RecentPopularityPrior:
    """Adds to each item's score by its recent train interactions; see ItemPrior.

    An interaction counts 2^(-age / half_life), its age in days before the newest one of the train
    part. That moment is the time reference of the model for good: scores do not age with the
    calendar, in training, evaluation or serving, until the model is trained on newer data. For all
    positives of training it is the same, so the prior fits best where the newest of them are drawn
    most often (`trainer.half_life`).

    Attributes:
        half_life: Days after which an interaction counts half as much.
        weight: Score of an item one standard deviation above the mean.
        learned: Whether the weight is trained.
    """

    half_life: PositiveFloat
    weight: NonNegativeFloat
    learned: bool

    def of_items(self, items: Side, train: TrainInteractions | None) -> ItemPrior:
        """See Prior.

        Raises:
            DataError: If the train part has no timestamps.
        """
        counts = None if train is None else self._counts(train)
        return ItemPrior(counts, items.n_train, self.weight, self.learned)

    def _counts(self, train: TrainInteractions) -> Tensor:
        """Return [n_items] float64: the total weight of each item's interactions."""
        if train.moments is None:
            raise DataError(
                "tower.prior: recent_popularity needs the time of each interaction, and the log "
                "has none (dataset.timestamp_unit=order gives an order alone): set "
                "dataset.columns.timestamp, or use tower/prior=popularity"
            )
        weights = half_life_weights(ages_in_days(train.moments), self.half_life)
        return torch.bincount(train.items, weights, train.n_items)
