"""Bilateral softmax loss: by hand, what each temperature does, and SL as its limit."""

from __future__ import annotations

import math

import pytest
import torch

from twotower.loss import BilateralSoftmax
from twotower.types import Scores

LN = math.log
POSITIVE = torch.tensor([0.0, LN(3)], dtype=torch.float64)
NEGATIVE = torch.tensor([[0.0, LN(3)], [LN(5), LN(7)]], dtype=torch.float64)
GIVEN = Scores(POSITIVE, NEGATIVE, None, torch.zeros(2))


def test_value_by_hand() -> None:
    # Both 1: positives ln((1 + 3) / 2) = ln 2; rows ln((1 + 3) / 2) = ln 2 and ln((5 + 7) / 2) =
    # ln 6, in the mean ln(12) / 2. Together ln(12) / 2 - ln 2 = ln(3) / 2.
    assert BilateralSoftmax(1.0, 1.0, 1.0)(GIVEN).item() == pytest.approx(LN(3) / 2)
    # tau1 = 1/2 squares the exponentials: positives 1/2 ln((1 + 9) / 2) = ln(5) / 2.
    assert BilateralSoftmax(0.5, 1.0, 1.0)(GIVEN).item() == pytest.approx(LN(12) / 2 - LN(5) / 2)
    # tau2 = 1/2: rows 1/2 ln((1 + 9) / 2) and 1/2 ln((25 + 49) / 2), in the mean ln(5 * 37) / 4.
    assert BilateralSoftmax(1.0, 0.5, 1.0)(GIVEN).item() == pytest.approx(LN(185) / 4 - LN(2))


def test_the_weight_multiplies_the_negatives_term_alone() -> None:
    # As in the first case above, ln(12) / 2 - ln 2, with the first term three times.
    assert BilateralSoftmax(1.0, 1.0, 3.0)(GIVEN).item() == pytest.approx(3 * LN(12) / 2 - LN(2))


def test_invalid_negatives_are_not_counted() -> None:
    # Row 0 keeps ln 3 alone: tau2 ln(3^(1 / tau2)) = ln 3. Row 1 keeps none: 0. Mean ln(3) / 2.
    valid = torch.tensor([[False, True], [False, False]])
    given = Scores(POSITIVE, NEGATIVE, valid, torch.zeros(2))
    for tau2 in (1.0, 0.1):
        assert BilateralSoftmax(1.0, tau2, 1.0)(given).item() == pytest.approx(LN(3) / 2 - LN(2))


def test_the_softmax_loss_is_its_limit_for_large_tau1() -> None:
    # E+[s+] = ln(3) / 2; rows at tau2 = 1/2 as above, ln(185) / 4.
    expected = LN(185) / 4 - LN(3) / 2
    errors = [
        abs(BilateralSoftmax(tau1, 0.5, 1.0)(GIVEN).item() - expected) for tau1 in (1.0, 10.0, 1e6)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6
    assert BilateralSoftmax(None, 0.5, 1.0)(GIVEN).item() == pytest.approx(expected)


def test_positives_of_low_score_count_less_the_smaller_tau1_is() -> None:
    shares = []
    for tau1 in (100.0, 1.0, 0.5):
        positive = POSITIVE.clone().requires_grad_()
        loss = BilateralSoftmax(tau1, 1.0, 1.0)(Scores(positive, NEGATIVE, None, torch.zeros(2)))
        (gradient,) = torch.autograd.grad(loss, positive)
        assert gradient.sum().item() == pytest.approx(-1)
        shares.append(-gradient[0].item())
    # 1 / (1 + 3^(1 / tau1)): nearly 1/2, then 1/4 and 1/10.
    assert shares == pytest.approx([1 / (1 + 3**0.01), 1 / 4, 1 / 10])
