"""Pairwise hinge: a positive should score above each of its negatives by a margin."""

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import relu

from twotower.core.component import component
from twotower.loss.masking import mean_of_valid, weigh_rows_, weighted, where_valid
from twotower.types import MaskedScores, Scores

__all__ = ["Hinge"]


@component
class Hinge:
    """Mean of max(0, margin - s+ + s_n) over all pairs of a positive and a valid negative.

    The large-margin ranking of Herbrich et al. 2000 ("Large margin rank boundaries for ordinal
    regression"). A pair that keeps the margin has no gradient. 0 where no negative is valid.

    Example:
        The first negative violates the margin by 0.5, the second keeps it: (0.5 + 0) / 2.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([1.0]),
        ...     negative=torch.tensor([[0.5, -1.0]]),
        ...     valid=None,
        ...     log_expected_count=torch.zeros(2),
        ... )
        >>> Hinge(margin=1.0)(scores)
        tensor(0.2500)
    """

    uses_weights = True

    def __init__(self, margin: PositiveFloat) -> None:
        """Set the margin, in units of the score."""
        self.margin = margin

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        negative = where_valid(scores.negative, scores, 0.0)  # [B, N]
        return mean_of_valid(relu(self.margin - scores.positive[:, None] + negative), scores)

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        hinge = scores.negative.sub_(scores.positive[:, None]).add_(self.margin).relu_()
        pairs = max(int(scores.counts.sum()), 1)
        total = weighted(hinge, scores).sum()
        weigh_rows_(hinge.sign_(), scores, 1 / pairs)
        torch.sum(hinge, 1, out=scores.positive).neg_()
        return total / pairs
