"""Popularity: the same ranking for everybody."""

from dataclasses import dataclass

from torch import Tensor

from twotower.types import Scorer, TrainInteractions

__all__ = ["Popularity"]


@dataclass(frozen=True)
class Popularity:
    """Items by their number of train interactions.

    Items with equal counts come as equal scores; the ranking puts the higher row number first.
    """

    def fit(self, train: TrainInteractions) -> Scorer:
        """See Baseline."""
        return _Counts(train.item_counts.float())


@dataclass(frozen=True)
class _Counts:
    counts: Tensor  # [n_items], exact in float32 up to 2**24

    def score_all(self, users: Tensor) -> Tensor:
        return self.counts.expand(len(users), -1)
