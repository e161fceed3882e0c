"""Sampled softmax: pick the positive out of its negatives, with logQ correction or without."""

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import softplus

from twotower.loss.masking import where_valid
from twotower.types import Scores

__all__ = ["SampledSoftmax"]


class SampledSoftmax:
    """Mean over rows of -log [e^(s+ / T) / (e^(s+ / T) + sum_n e^(s_n / T - log c_n))].

    T is the temperature, c_n the expected count of negative n, and the sum is over valid negatives.

    The logQ correction is that of Yi et al. 2019 (RecSys, "Sampling-bias-corrected neural modeling
    for large corpus item recommendations"), after Bengio & Senécal 2008: *subtracting* log c_n
    divides e^(s_n / T) by c_n, so that an item which comes c times as often counts c times less.
    The sum then estimates, without bias, the sum over all items that can be drawn and are not the
    positive. It is applied after the division by T: what has to be right is the sum of the terms of
    the softmax, and these are e^(s / T). The positive is not corrected: draws of it are not valid,
    so it stands in the denominator through its own score alone, once and for certain; its count is
    1, and log 1 = 0. With the pool of all items, each expected once, this is the exact softmax.

    Without correction, frequent negatives are pushed down in proportion to how often they come: the
    softmax of s / T + log c, in which popular items get lower scores than their frequency says.
    """

    def __init__(self, temperature: PositiveFloat, logq_correction: bool) -> None:
        self.temperature = temperature
        self.logq_correction = logq_correction

    def __call__(self, scores: Scores) -> Tensor:
        logits = scores.negative / self.temperature  # [B, N]
        if self.logq_correction:
            logits = logits - scores.log_expected_count
        # Not -inf: where a whole row is masked, logsumexp of -inf alone has NaN as its gradient.
        logits = where_valid(logits, scores, torch.finfo(logits.dtype).min)
        # log(e^p + e^x) - p = softplus(x - p), which keeps its digits where the loss is small.
        rest = torch.logsumexp(logits, 1)  # [B]
        return softplus(rest - scores.positive / self.temperature).mean()
