"""Sampled softmax: the positive among its negatives, with or without logQ correction."""

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import softplus

from twotower.core.component import component
from twotower.loss.masking import mean_of_rows, weighted, where_valid
from twotower.loss.softmax import softmax_
from twotower.types import MaskedScores, Scores

__all__ = ["SampledSoftmax"]


@component
class SampledSoftmax:
    """Mean over rows of -log [e^(s+ / T) / (e^(s+ / T) + sum_n e^(s_n / T - log c_n))].

    T is the temperature, c_n the expected count of negative n, and the sum is over valid negatives.

    The logQ correction is that of Yi et al. 2019 (RecSys, "Sampling-bias-corrected neural modeling
    for large corpus item recommendations"), after Bengio & Senécal 2008: *subtracting* log c_n
    divides e^(s_n / T) by c_n, so that an item sampled c times as often counts c times less. The
    sum then is an unbiased estimate of the sum over all items that can be sampled, the positive
    excluded. It is applied after the division by T, because the terms of the softmax, e^(s / T),
    are what must be estimated. The positive is not corrected: its samples are not valid, so it
    enters the denominator exactly once, by its own score (count 1, log 1 = 0). With all items as
    the pool, each expected once, this is the exact softmax.

    Without correction, negatives are pushed down in proportion to how often they are sampled, so
    that popular items score lower than their frequency warrants.

    Example:
        Two negatives, each expected twice: the denominator is 1 + 1/2 + 1/2 = 2.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([0.0]),
        ...     negative=torch.tensor([[0.0, 0.0]]),
        ...     valid=None,
        ...     log_expected_count=torch.tensor([2.0, 2.0]).log(),
        ... )
        >>> SampledSoftmax(temperature=1.0, logq_correction=True)(scores)
        tensor(0.6931)
        >>> SampledSoftmax(temperature=1.0, logq_correction=False)(scores)  # log 3
        tensor(1.0986)
    """

    uses_weights = True

    def __init__(self, temperature: PositiveFloat, logq_correction: bool) -> None:
        """Set the temperature T, and whether log c_n is subtracted from each negative's logit."""
        self.temperature = temperature
        self.logq_correction = logq_correction

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
        logits = scores.negative / self.temperature  # [B, N]
        if self.logq_correction:
            logits = logits - scores.log_expected_count
        # Not -inf: where a whole row is masked, logsumexp of -inf alone has NaN as its gradient.
        logits = where_valid(logits, scores, torch.finfo(logits.dtype).min)
        # log(e^p + e^x) - p = softplus(x - p), which keeps its digits where the loss is small.
        rest = torch.logsumexp(logits, 1)  # [B]
        return mean_of_rows(softplus(rest - scores.positive / self.temperature), scores)

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        rows, inverse = scores.positive.numel(), 1 / self.temperature
        logits = scores.positive * inverse  # [B], of the positives
        factor = torch.full_like(logits, inverse / rows)
        factor = weighted(factor, scores)
        shift = scores.log_expected_count if self.logq_correction else None
        rest = softmax_(
            scores.negative, self.temperature, shift=shift, beside=logits, factor=factor
        )
        rest -= logits
        torch.sigmoid(rest, out=scores.positive).mul_(factor).neg_()
        return weighted(softplus(rest), scores).mean()
