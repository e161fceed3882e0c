"""Bilateral softmax loss: log-expectation-exp on the positives as on the negatives."""

import math

import torch
from pydantic import PositiveFloat
from torch import Tensor

from twotower.loss.masking import valid_counts, where_valid
from twotower.types import Scores

__all__ = ["BilateralSoftmax"]


class BilateralSoftmax:
    """-tau1 log E+[e^(s+ / tau1)] + w E_rows[tau2 log E-[e^(s_n / tau2)]].

    Wu et al. 2024 (ICDE, "BSL: Understanding and improving softmax loss for recommendation"). Each
    term is a worst case over distributions near the sampled one: of the negatives, tau2 the smaller
    the more the hard ones count; of the positives, tau1 the smaller the less those of low score
    count, which are likelier to be noise. E- is the mean over a row's valid negatives as sampled,
    without logQ. A row without one adds 0 to the second term.

    The paper writes E+ as a mean over one user's positives. A loss sees scores and not whose they
    are, so E+ is here the mean over the batch's positives. (Over a single positive the first term
    is -s+ whatever tau1 is; taken row by row tau1 would do nothing.)

    The softmax loss (SL) is the limit tau1 -> infinity, given as None, where the first term is
    -E+[s+]: E_rows[-s+ + tau2 log E-[e^(s_n / tau2)]], tau2 times a softmax cross-entropy whose
    denominator leaves out the positive, up to the constant log |N|. With the positive left out the
    loss has no lower bound where scores have none: it is meant for cosines.

    w is `negative_weight`, 1 in the paper's formula. The authors' code raises the negatives' mean
    to a power besides, which is this weight (1.22 there for Gowalla with matrix factorisation).
    """

    def __init__(
        self, tau1: PositiveFloat | None, tau2: PositiveFloat, negative_weight: PositiveFloat
    ) -> None:
        self.tau1 = tau1
        self.tau2 = tau2
        self.negative_weight = negative_weight

    def __call__(self, scores: Scores) -> Tensor:
        if self.tau1 is None:
            positive = scores.positive.mean()
        else:
            rows = scores.positive.numel()
            log_mean = torch.logsumexp(scores.positive / self.tau1, 0) - math.log(rows)
            positive = self.tau1 * log_mean
        logits = scores.negative / self.tau2  # [B, N]
        # Not -inf: where a whole row is masked, logsumexp of -inf alone has NaN as its gradient.
        logits = where_valid(logits, scores, torch.finfo(logits.dtype).min)
        counts = valid_counts(scores)  # [B]
        negative = torch.logsumexp(logits, 1) - counts.clamp(min=1).log()
        negative = torch.where(counts > 0, negative, 0.0)
        return self.negative_weight * self.tau2 * negative.mean() - positive
