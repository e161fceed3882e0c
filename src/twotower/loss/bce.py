"""Binary cross-entropy on labels: 1 for a positive, 0 for a negative."""

from torch import Tensor
from torch.nn.functional import softplus

from twotower.core.component import component
from twotower.loss.base import CompiledGradient, gradient_by
from twotower.loss.logistic import pointwise_logistic
from twotower.loss.masking import valid_counts, weighted, where_valid
from twotower.types import MaskedScores, Scores

__all__ = ["BinaryCrossEntropy"]


@component
class BinaryCrossEntropy:
    """Mean of -log sigmoid(s) over positives and -log(1 - sigmoid(s)) over valid negatives.

    Every score has the same weight, as in `torch.nn.BCEWithLogitsLoss` on all scores in one row.

    Example:
        A score of 0 is a probability of 1/2, so each of the three terms is log 2 = 0.6931.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([0.0]),
        ...     negative=torch.tensor([[0.0, 0.0]]),
        ...     valid=None,
        ...     log_expected_count=torch.zeros(2),
        ... )
        >>> BinaryCrossEntropy()(scores)
        tensor(0.6931)
    """

    uses_weights = True

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        positive = softplus(-scores.positive)
        negative = softplus(where_valid(scores.negative, scores, 0.0))
        negative = where_valid(negative, scores, 0.0)
        total = weighted(positive, scores).sum() + weighted(negative, scores).sum()
        return total / (positive.numel() + valid_counts(scores).sum())

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        return gradient_by(self, scores)

    def compiled_gradient(self) -> CompiledGradient:
        """See StatesCompiledGradient."""
        return pointwise_logistic()
