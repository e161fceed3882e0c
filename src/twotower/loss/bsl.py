"""Bilateral softmax loss: log-expectation-exp on the positives as on the negatives."""

import math

import torch
from pydantic import PositiveFloat
from torch import Tensor

from twotower.core.component import component
from twotower.loss.masking import valid_counts, where_valid
from twotower.loss.softmax import softmax_
from twotower.types import MaskedScores, Scores

__all__ = ["BilateralSoftmax"]


@component
class BilateralSoftmax:
    """-tau1 log E+[e^(s+ / tau1)] + w E_rows[tau2 log E-[e^(s_n / tau2)]].

    Wu et al. 2024 (ICDE, "BSL: Understanding and improving softmax loss for recommendation"). Each
    term is a worst case over distributions near the sampled one. For negatives, a smaller tau2
    gives hard ones more weight; for positives, a smaller tau1 gives low-scoring ones, which are
    more likely to be noise, less weight. E- is the mean over a row's valid negatives as sampled,
    without logQ. A row without valid negatives adds 0 to the second term.

    In the paper E+ is a mean over one user's positives. A loss sees scores and not their users, so
    here E+ is the mean over the batch's positives. (Row by row tau1 would have no effect: for a
    single positive the first term is -s+ for any tau1.)

    The softmax loss (SL) is the limit tau1 -> infinity, given as None. Its first term is -E+[s+]:
    E_rows[-s+ + tau2 log E-[e^(s_n / tau2)]], which is tau2 times a softmax cross-entropy whose
    denominator excludes the positive, up to the constant log |N|. Without the positive the loss is
    unbounded below if the scores are: it is meant for cosines.

    w is `negative_weight`, 1 in the paper's formula. The authors' code also raises the negatives'
    mean to a power, which is this weight (1.22 there for Gowalla with matrix factorisation).

    Example:
        With equal scores both log-mean-exps are that score: -0.5 + 0.2.

        >>> import torch
        >>> from twotower.types import Scores
        >>> scores = Scores(
        ...     positive=torch.tensor([0.5, 0.5]),
        ...     negative=torch.tensor([[0.2, 0.2], [0.2, 0.2]]),
        ...     valid=None,
        ...     log_expected_count=torch.zeros(2),
        ... )
        >>> BilateralSoftmax(tau1=1.0, tau2=0.1, negative_weight=1.0)(scores)
        tensor(-0.3000)
    """

    def __init__(
        self, tau1: PositiveFloat | None, tau2: PositiveFloat, negative_weight: PositiveFloat
    ) -> None:
        """Set the constants.

        Args:
            tau1: Temperature of the positives; None for the softmax loss.
            tau2: Temperature of the negatives.
            negative_weight: Weight w of the negatives' term; the positives' is 1.
        """
        self.tau1 = tau1
        self.tau2 = tau2
        self.negative_weight = negative_weight

    def __call__(self, scores: Scores) -> Tensor:
        """Return the loss of a batch; see Loss."""
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

    def gradient_(self, scores: MaskedScores) -> Tensor:
        """Return the loss of a batch; see StatesGradient."""
        positive, rows = scores.positive, scores.positive.numel()
        if self.tau1 is None:
            first = positive.mean()
            positive.fill_(-1 / rows)
        else:
            logarithm = torch.logsumexp(positive / self.tau1, 0)
            first = self.tau1 * (logarithm - math.log(rows))
            positive.div_(self.tau1).sub_(logarithm).exp_().neg_()
        factor = torch.full((rows,), self.negative_weight / rows)
        second = softmax_(scores.negative, self.tau2, factor=factor)
        second -= scores.counts.clamp(min=1).log()
        second = torch.where(scores.counts > 0, second, 0.0).mean()
        return self.negative_weight * self.tau2 * second - first
