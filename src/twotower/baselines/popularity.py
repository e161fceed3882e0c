"""Popularity: the same ranking for everybody."""

from dataclasses import dataclass

from torch import Tensor

from twotower.types import EVERYBODY, Scorer, TrainInteractions

__all__ = ["Counts", "Popularity"]


@dataclass(frozen=True)
class Popularity:
    """Items by their number of train interactions.

    Items with equal counts come as equal scores; the ranking puts the higher row number first.
    """

    def fit(self, train: TrainInteractions) -> Scorer:
        """See Baseline."""
        return Counts(train.item_counts.float())


@dataclass(frozen=True)
class Counts:
    """A scorer that gives an item one and the same score for every user."""

    counts: Tensor  # [n_items], exact in float32 up to 2**24
    n_users = EVERYBODY

    @property
    def n_items(self) -> int:
        """See Scorer."""
        return len(self.counts)

    def score_all(self, users: Tensor) -> Tensor:
        """[B, n_items]."""
        return self.counts.expand(len(users), -1)
