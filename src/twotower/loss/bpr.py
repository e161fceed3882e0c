"""Bayesian personalised ranking: a positive should score above each of its negatives."""

from torch import Tensor
from torch.nn.functional import softplus

from twotower.core.component import component
from twotower.loss.base import CompiledGradient, gradient_by
from twotower.loss.logistic import pairwise_logistic
from twotower.loss.masking import mean_of_valid, where_valid
from twotower.types import MaskedScores, Scores

__all__ = ["BayesianPersonalisedRanking"]


@component
class BayesianPersonalisedRanking:
    """Mean of -log sigmoid(s+ - s_n) over all pairs of a positive and a valid negative of its row.

    BPR-Opt of Rendle et al. 2009 (UAI, "BPR: Bayesian personalized ranking from implicit
    feedback", section 4.1) without its regularisation, which is `trainer.l2`. 0 where no negative
    is valid.

    Example:
        Equal scores give -log sigmoid(0) = log 2; a masked negative has no influence.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([1.0]),
        ...     negative=torch.tensor([[1.0, 9.0]]),
        ...     valid=torch.tensor([[True, False]]),
        ...     log_expected_count=torch.zeros(2),
        ... )
        >>> BayesianPersonalisedRanking()(scores)
        tensor(0.6931)
    """

    uses_weights = True

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        negative = where_valid(scores.negative, scores, 0.0)  # [B, N]
        return mean_of_valid(softplus(negative - scores.positive[:, None]), scores)

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        return gradient_by(self, scores)

    def compiled_gradient(self) -> CompiledGradient:
        """See StatesCompiledGradient."""
        return pairwise_logistic()
