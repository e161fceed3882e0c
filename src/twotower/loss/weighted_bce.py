"""Binary cross-entropy with an explicit weight of the negatives against their positive."""

from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import softplus

from twotower.loss.masking import row_means, where_valid
from twotower.types import Scores

__all__ = ["WeightedBinaryCrossEntropy"]


class WeightedBinaryCrossEntropy:
    """Mean over rows of [-log sigmoid(s+) + w mean_n -log(1 - sigmoid(s_n))] / (1 + w).

    All valid negatives of a row together weigh w times its positive, however many are drawn: more
    negatives make the estimate better and leave the balance as it is. With w = N and all valid it
    is the plain binary cross-entropy, where the balance shifts with N. That missing interactions
    should weigh less than observed ones, by a weight to be tuned, is from Pan et al. 2008 (ICDM,
    "One-class collaborative filtering").
    """

    def __init__(self, negative_weight: PositiveFloat) -> None:
        self.negative_weight = negative_weight

    def __call__(self, scores: Scores) -> Tensor:
        positive = softplus(-scores.positive)  # [B]
        negative = row_means(softplus(where_valid(scores.negative, scores, 0.0)), scores)  # [B]
        weight = self.negative_weight
        return (positive + weight * negative).mean() / (1 + weight)
