"""Cosine contrastive loss: positives towards 1, negatives only down to a margin."""

from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor
from torch.nn.functional import relu

from twotower.loss.masking import row_means, where_valid
from twotower.types import Scores

__all__ = ["CosineContrastive"]


class CosineContrastive:
    """Mean over rows of 1 - s+ + w / |N| sum_n max(0, s_n - margin), n over |N| valid negatives.

    CCL of Mao et al. 2021 (CIKM, "SimpleX: a simple and strong baseline for collaborative
    filtering"). Negatives below the margin are easy and have no gradient. It is meant for cosines:
    with an unbounded similarity nothing holds the positive scores back but the l2 penalty.
    """

    def __init__(
        self, margin: Annotated[float, Field(ge=-1, lt=1)], negative_weight: PositiveFloat
    ) -> None:
        self.margin = margin
        self.negative_weight = negative_weight

    def __call__(self, scores: Scores) -> Tensor:
        negative = relu(where_valid(scores.negative, scores, 0.0) - self.margin)  # [B, N]
        return (1 - scores.positive + self.negative_weight * row_means(negative, scores)).mean()
