"""DirectAU: embeddings of pairs alike, and all embeddings spread over the sphere."""

from __future__ import annotations

import math

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn.functional import normalize

from twotower.core.errors import ConfigError
from twotower.types import Scores

__all__ = ["DirectAU"]


class DirectAU:
    """alignment + gamma (uniformity of users + uniformity of positives) / 2, on unit vectors.

    Wang et al. 2022 (KDD, "Towards representation alignment and uniformity in collaborative
    filtering"): alignment is the mean of ||u - i||^2 over the positive pairs, uniformity the log of
    the mean of exp(-t ||x - y||^2) over all pairs of two rows of the batch. Negatives and scores
    take no part: the other rows are what an embedding is pushed away from.

    As in the paper rows are told apart by their place: two interactions of one user (item) are a
    pair of distance 0, which has no gradient and takes its share of the mean, so that uniformity
    counts for less the more often the batch repeats it. A batch of one row has no pairs:
    uniformity is 0. A vector of length 0 counts as at a right angle to all others.
    """

    needs_negatives = False

    def __init__(self, gamma: NonNegativeFloat, t: PositiveFloat) -> None:
        self.gamma = gamma
        self.t = t

    def __call__(self, scores: Scores) -> Tensor:
        """Raises ConfigError where the scores come without embeddings."""
        if scores.embeddings is None:
            raise ConfigError(
                "loss: got direct_au for scores without embeddings; valid are scores that have them"
                ", as those of TwoTower.score, or a loss of scores alone"
            )
        users, positives = (normalize(vectors, dim=-1) for vectors in scores.embeddings)  # [B, D]
        alignment = (users - positives).square().sum(-1).mean()
        spread = self._uniformity(users) + self._uniformity(positives)
        return alignment + self.gamma * spread / 2

    def _uniformity(self, units: Tensor) -> Tensor:
        """A scalar for `units` [B, D]; takes memory for B x B numbers."""
        rows = len(units)
        if rows < 2:
            return units.new_zeros(())
        # -t ||x - y||^2 = 2t x.y - 2t, and x.y of all pairs is one matrix product; what follows is
        # log-sum-exp with each step in its place, in half the time of torch's own.
        scaled = units * math.sqrt(2 * self.t)
        exponents = (scaled @ scaled.T).fill_diagonal_(-math.inf)  # a row is no pair with itself
        top = exponents.detach().max()
        total = exponents.sub_(top).exp_().sum()
        return total.log() + top - 2 * self.t - math.log(rows * (rows - 1))
