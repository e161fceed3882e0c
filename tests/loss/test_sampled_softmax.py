"""Sampled softmax: by hand, the sign and place of logQ, and the exact softmax as its limit."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from twotower.loss import SampledSoftmax
from twotower.types import Scores

# Negatives at T ln 2 and T ln 3, expected 2 times and 1/2 times.
COUNTS = torch.log(torch.tensor([2.0, 0.5]))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 0.1])
def test_value_by_hand(temperature: float) -> None:
    # Positive at 0. Corrected: e^0 + 2 / 2 + 3 / (1/2) = 8; as it is: 1 + 2 + 3 = 6. The same at
    # any temperature, as the correction comes after the division by it.
    negative = temperature * torch.log(torch.tensor([[2.0, 3.0]]))
    given = Scores(torch.tensor([0.0]), negative, None, COUNTS)
    assert SampledSoftmax(temperature, True)(given).item() == pytest.approx(math.log(8))
    assert SampledSoftmax(temperature, False)(given).item() == pytest.approx(math.log(6))
    # Without the second negative: 1 + 2 / 2 = 2, and 1 + 2 = 3.
    masked = Scores(torch.tensor([0.0]), negative, torch.tensor([[True, False]]), COUNTS)
    assert SampledSoftmax(temperature, True)(masked).item() == pytest.approx(math.log(2))
    assert SampledSoftmax(temperature, False)(masked).item() == pytest.approx(math.log(3))


def test_a_negative_that_is_drawn_more_often_counts_less() -> None:
    negative = torch.zeros(1, 2, requires_grad=True)
    loss = SampledSoftmax(1.0, True)(Scores(torch.zeros(1), negative, None, COUNTS))
    (gradient,) = torch.autograd.grad(loss, negative)
    # 1 + 1 / 2 + 1 / (1/2) = 3.5, so 1/7 and 4/7.
    assert gradient.tolist() == [pytest.approx([1 / 7, 4 / 7])]


@pytest.mark.parametrize("logq_correction", [True, False])
def test_with_all_items_as_the_pool_it_is_the_exact_softmax(logq_correction: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(6, 50, generator=generator)
    positives = torch.randint(50, (6,), generator=generator)
    given = Scores(
        positive=scores[torch.arange(6), positives],
        negative=scores,
        valid=torch.arange(50) != positives[:, None],
        log_expected_count=torch.zeros(50),
    )
    expected = cross_entropy(scores / 0.3, positives).item()
    assert SampledSoftmax(0.3, logq_correction)(given).item() == pytest.approx(expected)


def test_a_tiny_loss_keeps_its_digits() -> None:
    # ln(1 + e^-40) = 4.25e-18, far below the float32 spacing of ln(e^40 + 1) near 40.
    given = Scores(torch.tensor([40.0]), torch.tensor([[0.0]]), None, torch.zeros(1))
    assert SampledSoftmax(1.0, True)(given).item() == pytest.approx(math.exp(-40))
