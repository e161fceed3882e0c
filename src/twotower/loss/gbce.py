"""Generalised binary cross-entropy: undoes the overconfidence that sampled negatives cause."""

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import softplus

from twotower.core.component import component
from twotower.loss.base import CompiledGradient, gradient_by
from twotower.loss.logistic import pointwise_logistic
from twotower.loss.masking import item_weights, valid_counts, weighted, where_valid
from twotower.types import MaskedScores, Scores

__all__ = ["GeneralisedBinaryCrossEntropy"]


@component
class GeneralisedBinaryCrossEntropy:
    """gBCE of Petrov & Macdonald 2023 (RecSys, "gSASRec", section 5).

    Mean of -beta log sigmoid(s) over positives and -log(1 - sigmoid(s)) over valid negatives, each
    term with the same weight (as in the loss `bce`), where

        beta = alpha (t (1 - 1/alpha) + 1/alpha) = 1 - t (1 - alpha).

    alpha is the sampling rate: the mean, over all items that may be a negative, of how often an
    item was expected among the negatives. If the true odds of an interaction are o, the loss is
    minimal at sigmoid odds of o beta / alpha. So t = 0 is plain binary cross-entropy (odds too high
    by 1/alpha), and t = 1 gives beta = alpha, calibrated probabilities.

    alpha is estimated from the sample. A valid negative weighs 1 / expected count, so that the
    weights of a row add up, in expectation, to the number of items that may be its negatives (see
    `item_weights`). Over the whole batch

        alpha = (number of valid negatives) / (sum of their weights).

    With N uniform negatives from m items each weighs m / N, and alpha is exactly N / m, whichever
    are valid (if m differs between rows: N over the mean m). With any other sampler it is an
    estimate whose error falls with the number of negatives. It exceeds 1 if more negatives are
    sampled than there are items; the odds above hold for it all the same.

    Example:
        One negative, expected 1/4 times: alpha = 1/4. With t = 1 the positive's term weighs 1/4:
        (log 2 / 4 + log 2) / 2 = 0.4332.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([0.0]),
        ...     negative=torch.tensor([[0.0]]),
        ...     valid=None,
        ...     log_expected_count=torch.tensor([0.25]).log(),
        ... )
        >>> GeneralisedBinaryCrossEntropy(t=1.0)(scores)
        tensor(0.4332)
    """

    uses_weights = True

    def __init__(self, t: Annotated[float, Field(ge=0, le=1)]) -> None:
        """Set the calibration t: 0 is the loss `bce`, 1 gives calibrated probabilities."""
        self.t = t

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        places = valid_counts(scores).sum()
        n_items = item_weights(scores).sum()
        # Without a valid negative alpha is 0 by convention: both are 0, and none is sampled.
        alpha = places / n_items.where(places > 0, 1.0)
        beta = 1 - self.t * (1 - alpha)
        positive = beta * softplus(-scores.positive)  # [B]
        negative = softplus(where_valid(scores.negative, scores, 0.0))  # [B, N]
        negative = where_valid(negative, scores, 0.0)
        total = weighted(positive, scores).sum() + weighted(negative, scores).sum()
        return total / (positive.numel() + places)

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        return gradient_by(self, scores)

    def compiled_gradient(self) -> CompiledGradient:
        """See StatesCompiledGradient."""
        return pointwise_logistic(calibration=self.t)
