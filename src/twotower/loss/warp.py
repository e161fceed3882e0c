"""WARP: a pairwise hinge that weights each positive by its estimated rank."""

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import relu

from twotower.core.component import component
from twotower.loss.masking import item_weights, mean_of_rows, weigh_rows_, weighted, where_valid
from twotower.types import MaskedScores, Scores

__all__ = ["Warp"]

_EULER = 0.5772156649015329  # of Euler and Mascheroni


@component
class Warp:
    """Weighted approximate-rank pairwise loss, Weston et al. 2011 (IJCAI, "WSABIE").

    With h_i = max(0, margin - s+ + s_i) and rank = number of items i with h_i > 0, a positive
    costs L(rank) / rank * sum_i h_i, where L(r) = 1 + 1/2 + ... + 1/r: an improvement counts most
    near the top. The loss is the mean over positives.

    The paper samples negatives one by one until one violates the margin, and estimates the rank
    from the number of trials. Here all N negatives of a row are used at once: each valid one
    represents 1 / expected count items, so the weights of the violating ones add up to an unbiased
    estimate of the rank (for N uniform negatives from m items: their share times m), and the sum
    of h over all items is estimated too. Between whole ranks L is psi(r + 1) + 0.5772..., psi
    the digamma function. The rank has no gradient. 0 where no valid negative violates the margin.
    As in the paper the value is not monotone: L(rank) / rank, the weight of each pair, rises a
    little when an item stops violating the margin.

    Example:
        One of two items violates the margin, by 0.5: rank 1, L(1) / 1 * 0.5 = 0.5.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([1.0]),
        ...     negative=torch.tensor([[0.5, -1.0]]),
        ...     valid=None,
        ...     log_expected_count=torch.zeros(2),
        ... )
        >>> Warp(margin=1.0)(scores)
        tensor(0.5000)
    """

    uses_weights = True

    def __init__(self, margin: PositiveFloat) -> None:
        """Set the margin, in units of the score."""
        self.margin = margin

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        negative = where_valid(scores.negative, scores, 0.0)
        hinge = relu(self.margin - scores.positive[:, None] + negative)  # [B, N]
        weights = item_weights(scores)  # [B, N]
        rank = torch.where(hinge > 0, weights, 0.0).sum(1)  # [B]
        harmonic = torch.digamma(rank + 1) + _EULER  # [B]
        per_rank = harmonic / torch.where(rank > 0, rank, 1.0)
        return mean_of_rows(per_rank * (weights * hinge).sum(1), scores)

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        hinge = scores.negative.sub_(scores.positive[:, None]).add_(self.margin).relu_()
        weights = torch.exp(-scores.log_expected_count).expand_as(hinge)  # [B, N]
        rank = torch.where(hinge > 0, weights, 0.0).sum(1)  # [B]
        per_rank = (torch.digamma(rank + 1) + _EULER) / torch.where(rank > 0, rank, 1.0)
        total = weighted(per_rank * (weights * hinge).sum(1), scores).mean()
        weigh_rows_(hinge.sign_().mul_(weights), scores, per_rank / per_rank.numel())
        torch.sum(hinge, 1, out=scores.positive).neg_()
        return total
