"""Random: a lower bound for every model."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import NonNegativeInt
from torch import Tensor

from twotower.core.component import component
from twotower.types import EVERYBODY, Scorer, TrainInteractions

__all__ = ["Random"]


@component
@dataclass(frozen=True)
class Random:
    """Ranks items in a uniformly random order per user.

    Example:
        Scores depend on the seed and the user alone, not on the batch.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 1]), n_users=2, n_items=3
        ... )
        >>> scorer = Random(seed=0).fit(train)
        >>> both = scorer.score_all(torch.tensor([0, 1]))
        >>> torch.equal(both[1:], scorer.score_all(torch.tensor([1])))
        True
    """

    seed: NonNegativeInt

    def fit(self, train: TrainInteractions) -> Scorer:
        """Return the fitted scorer; see Baseline."""
        return _Draws(self.seed, train.n_items)


@dataclass(frozen=True)
class _Draws:
    seed: int
    n_items: int
    n_users = EVERYBODY

    def score_all(self, users: Tensor) -> Tensor:
        # A generator per user: scores do not depend on the block that a user is in.
        scores = np.empty((len(users), self.n_items), dtype=np.float32)
        for row, user in zip(scores, users.tolist(), strict=True):
            np.random.default_rng([self.seed, user]).random(out=row, dtype=np.float32)
        return torch.from_numpy(scores)
