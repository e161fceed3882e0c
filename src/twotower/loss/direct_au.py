"""DirectAU: alignment of positive pairs and uniformity of all embeddings on the sphere."""

from __future__ import annotations

import math

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor
from torch.nn.functional import normalize

from twotower.core.component import component
from twotower.core.errors import ConfigError
from twotower.types import Scores

__all__ = ["DirectAU"]


@component
class DirectAU:
    """alignment + gamma (uniformity of users + uniformity of positives) / 2, on unit vectors.

    Wang et al. 2022 (KDD, "Towards representation alignment and uniformity in collaborative
    filtering", eq. 5 and 6): alignment is the mean of ||u - i||^2 over the positive pairs,
    uniformity the log of the mean of exp(-t ||x - y||^2) over all pairs of rows of the batch.
    Negatives and scores are not used: embeddings repel those of the other rows.

    As in the paper, rows are distinguished by position: two interactions of one user (item) are a
    pair at distance 0, which has no gradient but enters the mean, so uniformity has less effect the
    more repeats a batch has. A batch of one row has no pairs: uniformity is 0. A zero vector is
    treated as orthogonal to all others.

    Example:
        Alignment is 0: each user equals its item. The two rows are orthogonal, at squared distance
        2, so uniformity is log e^(-2 * 2) = -4 on either side.

        >>> import torch
        >>> from twotower.types import Scores
        >>> units = torch.eye(2)
        >>> scores = Scores(
        ...     positive=torch.ones(2),
        ...     negative=torch.zeros(2, 1),
        ...     valid=None,
        ...     log_expected_count=torch.zeros(1),
        ...     embeddings=(units, units),
        ... )
        >>> DirectAU(gamma=1.0, t=2.0)(scores)
        tensor(-4.)
    """

    needs_negatives = False

    def __init__(self, gamma: NonNegativeFloat, t: PositiveFloat) -> None:
        """Set the constants.

        Args:
            gamma: Weight of uniformity; that of alignment is 1.
            t: How local uniformity is: the larger, the more only near embeddings repel each other.
        """
        self.gamma = gamma
        self.t = t

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss.

        Raises:
            ConfigError: If the scores have no embeddings.
        """
        if scores.embeddings is None:
            raise ConfigError(
                "loss: got direct_au for scores without embeddings; expected scores with "
                "embeddings, such as those of TwoTower.score"
            )
        users, positives = (normalize(vectors, dim=-1) for vectors in scores.embeddings)  # [B, D]
        alignment = (users - positives).square().sum(-1).mean()
        spread = self._uniformity(users) + self._uniformity(positives)
        return alignment + self.gamma * spread / 2

    def _uniformity(self, units: Tensor) -> Tensor:
        """Return a scalar for unit vectors [B, D]; needs memory for B x B numbers."""
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
