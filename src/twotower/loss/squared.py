"""Squared error against 1 for positives and 0 for all other items, as in implicit ALS."""

import torch
from pydantic import PositiveFloat
from torch import Tensor

from twotower.core.component import component
from twotower.loss.masking import item_weights, mean_of_rows, weigh_rows_, weighted, where_valid
from twotower.types import MaskedScores, Scores

__all__ = ["Squared"]


@component
class Squared:
    """Mean over rows of (s+ - 1)^2 + alpha0 sum_n s_n^2 / c_n, n over valid negatives.

    c_n is the expected count of negative n. With weights 1 / c_n, the sum over a sample has as its
    expectation the sum of s_i^2 over all valid items that can be sampled. So under any sampler this
    is an unbiased estimate of the implicit-feedback objective of Hu et al. 2008 (ICDM,
    "Collaborative filtering for implicit feedback datasets") in the form of Rendle et al. 2022
    (RecSys, "Revisiting the performance of iALS on item recommendation benchmarks"), with three
    differences: the positive (and with `exclude_seen` every seen item) is not part of the sum; a
    row is an interaction, so a user's sum counts once per positive, as if alpha0 grew with their
    number; and regularisation is left to `trainer.l2`. With all items as the pool, each expected
    once, nothing is estimated.

    Example:
        (0.5 - 1)^2 + 0.1 * (1^2 / 2 + 1^2 / 2) = 0.35.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([0.5]),
        ...     negative=torch.tensor([[1.0, -1.0]]),
        ...     valid=None,
        ...     log_expected_count=torch.tensor([2.0, 2.0]).log(),
        ... )
        >>> Squared(alpha0=0.1)(scores)
        tensor(0.3500)
    """

    uses_weights = True

    def __init__(self, alpha0: PositiveFloat) -> None:
        """Set the weight alpha0 of each item other than the positive, whose weight is 1."""
        self.alpha0 = alpha0

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        negative = where_valid(scores.negative, scores, 0.0)  # [B, N]
        rest = (item_weights(scores) * negative.square()).sum(1)  # [B]
        return mean_of_rows((scores.positive - 1).square() + self.alpha0 * rest, scores)

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        error = scores.positive.sub_(1)
        negative = scores.negative.masked_fill_(scores.negative == -torch.inf, 0)
        weights = torch.exp(-scores.log_expected_count)
        rest = (weights * negative.square()).sum(1)  # [B]
        total = weighted(error.square() + self.alpha0 * rest, scores).mean()
        weigh_rows_(negative.mul_(weights), scores, 2 * self.alpha0 / error.numel())
        weigh_rows_(error, scores, 2 / error.numel())
        return total
