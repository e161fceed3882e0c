"""Pairwise hinge: a positive should lead each of its negatives by a margin."""

from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import relu

from twotower.loss.masking import mean_of_valid, where_valid
from twotower.types import Scores

__all__ = ["Hinge"]


class Hinge:
    """Mean of max(0, margin - s+ + s_n) over all pairs of a positive and a valid negative.

    The large-margin ranking of Herbrich et al. 2000 ("Large margin rank boundaries for ordinal
    regression"). A pair that keeps the margin has no gradient. 0 where no negative is valid.
    """

    def __init__(self, margin: PositiveFloat) -> None:
        self.margin = margin

    def __call__(self, scores: Scores) -> Tensor:
        negative = where_valid(scores.negative, scores, 0.0)  # [B, N]
        return mean_of_valid(relu(self.margin - scores.positive[:, None] + negative), scores)
