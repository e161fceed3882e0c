"""Pairwise hinge, by hand."""

from __future__ import annotations

import pytest
import torch

from twotower.loss import Hinge
from twotower.types import Scores


def test_value_by_hand() -> None:
    # Positive at 1, margin 1: negatives at 0.5, -1 and 2 cost 0.5, 0 (it trails by 2) and 2.
    negative = torch.tensor([[0.5, -1.0, 2.0]])
    given = Scores(torch.tensor([1.0]), negative, None, torch.zeros(3))
    assert Hinge(1.0)(given).item() == pytest.approx(2.5 / 3)
    masked = Scores(torch.tensor([1.0]), negative, torch.tensor([[1, 1, 0]]).bool(), torch.zeros(3))
    assert Hinge(1.0)(masked).item() == pytest.approx(0.5 / 2)
    # With margin 3 the costs are 2.5, 1 and 4.
    assert Hinge(3.0)(given).item() == pytest.approx(7.5 / 3)


def test_pairs_that_keep_the_margin_have_no_gradient() -> None:
    negative = torch.tensor([[0.5, -1.0, 2.0]], requires_grad=True)
    loss = Hinge(1.0)(Scores(torch.tensor([1.0]), negative, None, torch.zeros(3)))
    (gradient,) = torch.autograd.grad(loss, negative)
    assert gradient.tolist() == [[pytest.approx(1 / 3), 0, pytest.approx(1 / 3)]]
