"""Random: the floor that every model must clear."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import NonNegativeInt
from torch import Tensor

from twotower.types import EVERYBODY, Scorer, TrainInteractions

__all__ = ["Random"]


@dataclass(frozen=True)
class Random:
    """A ranking of its own for each user, drawn uniformly."""

    seed: NonNegativeInt

    def fit(self, train: TrainInteractions) -> Scorer:
        """See Baseline."""
        return _Draws(self.seed, train.n_items)


@dataclass(frozen=True)
class _Draws:
    seed: int
    n_items: int
    n_users = EVERYBODY

    def score_all(self, users: Tensor) -> Tensor:
        # A generator for each user: the scores do not depend on the block a user comes in.
        scores = np.empty((len(users), self.n_items), dtype=np.float32)
        for row, user in zip(scores, users.tolist(), strict=True):
            np.random.default_rng([self.seed, user]).random(out=row, dtype=np.float32)
        return torch.from_numpy(scores)
