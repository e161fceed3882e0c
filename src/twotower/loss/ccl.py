"""Cosine contrastive loss: positives towards 1, negatives only down to a margin."""

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat
from torch import Tensor
from torch.nn.functional import relu

from twotower.core.compiled import compiled
from twotower.core.component import component
from twotower.loss.masking import mean_of_rows, row_means, weighted, where_valid
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
        rows = scores.positive.numel()
        weight = self.negative_weight / scores.counts.clamp(min=1)  # [B]
        share = weighted(torch.full((rows,), 1 / rows), scores)  # [B]
        sums = torch.empty(rows)
        arrays = (scores.negative, (weight * share).float(), sums)
        _hinge(np.float32(self.margin), *(each.numpy() for each in arrays))
        total = share @ (1 - scores.positive + weight * sums)
        torch.neg(share, out=scores.positive)
        return total


@compiled
def _hinge(margin: Any, scores: NDArray[Any], slope: NDArray[Any], sums: NDArray[Any]) -> None:
    """Sum max(0, s - margin) of each row; overwrite scores by `slope` where that is positive."""
    for b in range(len(sums)):
        total = np.float32(0)
        for n in range(scores.shape[1]):
            over = scores[b, n] - margin
            total += over if over > 0 else np.float32(0)
            scores[b, n] = slope[b] if over > 0 else np.float32(0)
        sums[b] = total
