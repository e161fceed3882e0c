"""Popularity: the same ranking for every user."""

from dataclasses import dataclass

from twotower.core.component import component
from twotower.types import OneRanking, Scorer, TrainInteractions

__all__ = ["Popularity"]


@component
@dataclass(frozen=True)
class Popularity:
    """Ranks items by their number of train interactions.

    Items with equal counts get equal scores; the ranking then puts the higher row number first.

    Example:
        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 1]), n_users=2, n_items=3
        ... )
        >>> Popularity().fit(train).score_all(torch.tensor([0]))
        tensor([[1., 2., 0.]])
    """

    def fit(self, train: TrainInteractions) -> Scorer:
        """Return the fitted scorer; see Baseline."""
        return OneRanking(train.item_counts.float())  # exact up to 2**24
