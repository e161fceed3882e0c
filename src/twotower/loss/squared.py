"""Squared error against 1 for positives and 0 for all other items, as in implicit ALS."""

from pydantic import PositiveFloat
from torch import Tensor

from twotower.loss.masking import item_weights, where_valid
from twotower.types import Scores

__all__ = ["Squared"]


class Squared:
    """Mean over rows of (s+ - 1)^2 + alpha0 sum_n s_n^2 / c_n, n over valid negatives.

    c_n is the expected count of negative n. Weighted by 1 / c_n the sum over a draw is in the mean
    the sum of s_i^2 over all items that can be drawn and are valid. So under any sampler this is an
    unbiased estimate of the implicit-feedback objective of Hu et al. 2008 (ICDM, "Collaborative
    filtering for implicit feedback datasets") in the form of Rendle et al. 2022 (RecSys,
    "Revisiting the performance of iALS on item recommendation benchmarks"), with three differences:
    the positive itself (and with `exclude_seen` all that the user has seen) is no part of the sum;
    a row is an interaction, so a user's sum counts once for each of its positives, as if alpha0
    grew with these; and the regularisation is the trainer's. With all items as the pool, each
    expected once, nothing is estimated.
    """

    def __init__(self, alpha0: PositiveFloat) -> None:
        self.alpha0 = alpha0

    def __call__(self, scores: Scores) -> Tensor:
        negative = where_valid(scores.negative, scores, 0.0)  # [B, N]
        rest = (item_weights(scores) * negative.square()).sum(1)  # [B]
        return ((scores.positive - 1).square() + self.alpha0 * rest).mean()
