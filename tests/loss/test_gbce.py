"""gBCE by hand, its sampling rate, and the probabilities that it calibrates."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from twotower.loss import BinaryCrossEntropy, GeneralisedBinaryCrossEntropy
from twotower.types import Scores


def test_value_by_hand() -> None:
    # 2 uniform negatives from 8 items: expected counts 1/4, alpha = 2 / (4 + 4) = 1/4. With t = 1/2
    # beta = 1 - 1/2 * 3/4 = 5/8. The positive at 0 costs 5/8 ln 2, negatives at 0 and ln 3 cost
    # ln 2 and 2 ln 2; three terms.
    negative = torch.tensor([[0.0, math.log(3)]])
    counts = torch.full((1, 2), math.log(1 / 4))
    loss = GeneralisedBinaryCrossEntropy(0.5)
    given = Scores(torch.tensor([0.0]), negative, None, counts)
    assert loss(given).item() == pytest.approx(3.625 / 3 * math.log(2))
    # Without the second negative alpha is 1 / 4 still; two terms: (5/8 + 1) / 2 ln 2.
    masked = Scores(torch.tensor([0.0]), negative, torch.tensor([[True, False]]), counts)
    assert loss(masked).item() == pytest.approx(1.625 / 2 * math.log(2))


def test_without_calibration_it_is_plain_binary_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    positive, negative, counts = (
        torch.randn(shape, generator=generator) for shape in ((6,), (6, 4), (6, 4))
    )
    given = Scores(positive, negative, counts > -0.5, counts)
    expected = BinaryCrossEntropy()(given).item()
    assert GeneralisedBinaryCrossEntropy(0.0)(given).item() == pytest.approx(expected)


@pytest.mark.parametrize(("t", "odds"), [(0.0, 1 / 2), (1.0, 1 / 8), (0.5, 5 / 16)])
def test_it_is_least_at_the_true_odds_times_beta_over_alpha(t: float, odds: float) -> None:
    # Pairs of one kind: one interaction, and 2 negatives that represent 8, so the true odds are 1/8
    # and alpha is 1/4. beta = 1, 1/4 and 5/8; odds = 1/8 * beta * 4.
    score = torch.tensor([math.log(odds)], dtype=torch.float64, requires_grad=True)
    counts = torch.full((2,), math.log(1 / 4), dtype=torch.float64)
    loss = GeneralisedBinaryCrossEntropy(t)(Scores(score, score.expand(1, 2), None, counts))
    (gradient,) = torch.autograd.grad(loss, score)
    assert gradient.item() == pytest.approx(0, abs=1e-12)


def alpha_of(counts: Tensor) -> float:
    """The sampling rate that the loss takes from log expected counts [N] (shared by one row).

    At scores 0 and t = 1 each term costs ln 2, the positive alpha ln 2: loss (N + 1) / ln 2 - N.
    """
    n = len(counts)
    given = Scores(torch.zeros(1).double(), torch.zeros(1, n).double(), None, counts.double())
    return GeneralisedBinaryCrossEntropy(1.0)(given).item() * (n + 1) / math.log(2) - n


def test_the_sampling_rate_of_uniform_negatives_is_exact() -> None:
    assert alpha_of(torch.full((20,), math.log(20 / 50)).double()) == pytest.approx(20 / 50)


def test_the_sampling_rate_of_other_samplers_is_estimated() -> None:
    probabilities = torch.linspace(1, 9, 50, dtype=torch.float64)
    probabilities /= probabilities.sum()
    generator = torch.Generator().manual_seed(0)
    errors = []
    for n in (100, 10_000):
        draws = [
            torch.multinomial(probabilities, n, replacement=True, generator=generator)
            for _ in range(20)
        ]
        alphas = [alpha_of(torch.log(n * probabilities[items])) for items in draws]
        errors.append(sum(abs(alpha / (n / 50) - 1) for alpha in alphas) / len(alphas))
    # The standard error falls as 1 / sqrt(n), here by 10; half of that is demanded.
    assert errors[1] < errors[0] / 5
    assert errors[1] < 0.02
