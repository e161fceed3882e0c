"""Bilateral softmax loss: log-expectation-exp on the positives as on the negatives."""

import math

import torch
from pydantic import PositiveFloat
from torch import Tensor

from twotower.loss.masking import valid_counts, where_valid
from twotower.types import Scores

__all__ = ["BilateralSoftmax"]


class BilateralSoftmax:
    """-tau1 log E+[e^(s+ / tau1)] + E_rows[tau2 log E-[e^(s_n / tau2)]].

    Wu et al. 2024 (ICDE, "BSL: Understanding and improving softmax loss for recommendation"). Each
    term is a worst case over distributions near the sampled one: of the negatives, tau2 the smaller
    the more the hard ones count; of the positives, tau1 the smaller the less those of low score
    count, which are likelier to be noise. E- is the mean over a row's valid negatives as sampled,
    without logQ. A row without one adds 0 to the second term.

    The paper writes E+ as a mean over one user's positives. A loss sees scores and not whose they
    are, so E+ is here the mean over the batch's positives. (Over a single positive the first term
    is -s+ whatever tau1 is; taken row by row tau1 would do nothing.)

    The softmax loss (SL) is the case tau1 -> infinity, where the first term tends to -E+[s+]:
    E_rows[-s+ + tau2 log E-[e^(s_n / tau2)]], tau2 times a softmax cross-entropy whose denominator
    leaves out the positive, up to the constant log |N|. With the positive left out the loss has no
    lower bound where scores have none: it is meant for cosines.
    """

    def __init__(self, tau1: PositiveFloat, tau2: PositiveFloat) -> None:
        self.tau1 = tau1
        self.tau2 = tau2

    def __call__(self, scores: Scores) -> Tensor:
        rows = scores.positive.numel()
        positive = torch.logsumexp(scores.positive / self.tau1, 0) - math.log(rows)
        logits = scores.negative / self.tau2  # [B, N]
        # Not -inf: where a whole row is masked, logsumexp of -inf alone has NaN as its gradient.
        logits = where_valid(logits, scores, torch.finfo(logits.dtype).min)
        counts = valid_counts(scores)  # [B]
        negative = torch.logsumexp(logits, 1) - counts.clamp(min=1).log()
        negative = torch.where(counts > 0, negative, 0.0)
        return self.tau2 * negative.mean() - self.tau1 * positive
