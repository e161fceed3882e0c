"""Cosine contrastive loss: positives towards 1, negatives only down to a margin."""

from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor
from torch.nn.functional import relu

from twotower.core.component import component
from twotower.loss.masking import mean_of_rows, row_means, weigh_rows_, weighted, where_valid
from twotower.types import MaskedScores, Scores

__all__ = ["CosineContrastive"]


@component
class CosineContrastive:
    """Mean over rows of 1 - s+ + w / |N| sum_n max(0, s_n - margin), n over |N| valid negatives.

    CCL of Mao et al. 2021 (CIKM, "SimpleX: a simple and strong baseline for collaborative
    filtering", eq. 1). Negatives below the margin are easy and have no gradient. It is meant for
    cosines: with an unbounded similarity only `trainer.l2` limits the positive scores.

    Example:
        Positive: 1 - 0.8 = 0.2. Negatives: 2 * (0.1 + 0) / 2 = 0.1.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([0.8]),
        ...     negative=torch.tensor([[0.5, 0.1]]),
        ...     valid=None,
        ...     log_expected_count=torch.zeros(2),
        ... )
        >>> CosineContrastive(margin=0.4, negative_weight=2.0)(scores)
        tensor(0.3000)
    """

    uses_weights = True

    def __init__(
        self, margin: Annotated[float, Field(ge=-1, lt=1)], negative_weight: PositiveFloat
    ) -> None:
        """Set the constants.

        Args:
            margin: Score up to which a negative costs nothing.
            negative_weight: Weight w of a row's negatives; the positive's is 1.
        """
        self.margin = margin
        self.negative_weight = negative_weight

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        negative = relu(where_valid(scores.negative, scores, 0.0) - self.margin)  # [B, N]
        rows = 1 - scores.positive + self.negative_weight * row_means(negative, scores)  # [B]
        return mean_of_rows(rows, scores)

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        positive, negative = scores.positive, scores.negative.sub_(self.margin).relu_()
        weight = self.negative_weight / scores.counts.clamp(min=1)  # [B]
        total = weighted(1 - positive + weight * negative.sum(1), scores).mean()
        weigh_rows_(negative.sign_(), scores, weight / positive.numel())
        weigh_rows_(positive.fill_(1), scores, -1 / positive.numel())
        return total
