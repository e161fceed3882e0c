"""The prior by popularity."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import NonNegativeFloat

from twotower.core.component import component
from twotower.tower.prior.base import ItemPrior
from twotower.types import Side, TrainInteractions

__all__ = ["PopularityPrior"]


@component
@dataclass(frozen=True)
class PopularityPrior:
    """Adds to each item's score by its number of train interactions; see ItemPrior.

    Attributes:
        weight: Score of an item one standard deviation above the mean.
        learned: Whether the weight is trained.
    """

    weight: NonNegativeFloat
    learned: bool

    def of_items(self, items: Side, train: TrainInteractions | None) -> ItemPrior:
        """See Prior."""
        counts = None if train is None else train.item_counts
        return ItemPrior(counts, items.n_train, self.weight, self.learned)
