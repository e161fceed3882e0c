"""Binary cross-entropy with an explicit weight of the negatives against their positive."""

from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import softplus

from twotower.core.component import component
from twotower.loss.base import CompiledGradient, gradient_by
from twotower.loss.logistic import pointwise_logistic
from twotower.loss.masking import mean_of_rows, row_means, where_valid
from twotower.types import MaskedScores, Scores

__all__ = ["WeightedBinaryCrossEntropy"]


@component
class WeightedBinaryCrossEntropy:
    """Mean over rows of [-log sigmoid(s+) + w mean_n -log(1 - sigmoid(s_n))] / (1 + w).

    All valid negatives of a row together weigh w times its positive, however many are sampled:
    more negatives improve the estimate without shifting the balance. With w = N and all valid it
    equals the plain binary cross-entropy, where the balance shifts with N. Pan et al. 2008 (ICDM,
    "One-class collaborative filtering") introduced a tuned weight of missing interactions.

    Example:
        Every term is log 2, so any weighted mean of them is too.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([0.0]),
        ...     negative=torch.tensor([[0.0, 0.0]]),
        ...     valid=None,
        ...     log_expected_count=torch.zeros(2),
        ... )
        >>> WeightedBinaryCrossEntropy(negative_weight=10.0)(scores)
        tensor(0.6931)
    """

    uses_weights = True

    def __init__(self, negative_weight: PositiveFloat) -> None:
        """Set w, the weight of a row's negatives; the positive's is 1."""
        self.negative_weight = negative_weight

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        positive = softplus(-scores.positive)  # [B]
        negative = row_means(softplus(where_valid(scores.negative, scores, 0.0)), scores)  # [B]
        weight = self.negative_weight
        return mean_of_rows(positive + weight * negative, scores) / (1 + weight)

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        return gradient_by(self, scores)

    def compiled_gradient(self) -> CompiledGradient:
        """See StatesCompiledGradient."""
        return pointwise_logistic(negative_weight=self.negative_weight)
