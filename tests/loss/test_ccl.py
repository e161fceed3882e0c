"""Cosine contrastive loss, by hand."""

from __future__ import annotations

import pytest
import torch

from twotower.loss import CosineContrastive
from twotower.types import Scores


def test_value_by_hand() -> None:
    # Margin 0.4: negatives at 0.9, 0.3 and -0.5 pass it by 0.5, 0 and 0. With w = 6 the row costs
    # 1 - 0.8 + 6 / 3 * 0.5 = 1.2; without the first negative 1 - 0.8 = 0.2.
    positive, negative = torch.tensor([0.8]), torch.tensor([[0.9, 0.3, -0.5]])
    loss = CosineContrastive(0.4, 6.0)
    assert loss(Scores(positive, negative, None, torch.zeros(3))).item() == pytest.approx(1.2)
    masked = Scores(positive, negative, torch.tensor([[0, 1, 1]]).bool(), torch.zeros(3))
    assert loss(masked).item() == pytest.approx(0.2)
    # Without the second |N| is 2: 0.2 + 6 / 2 * 0.5.
    masked = Scores(positive, negative, torch.tensor([[1, 0, 1]]).bool(), torch.zeros(3))
    assert loss(masked).item() == pytest.approx(1.7)


def test_the_negatives_of_each_row_weigh_the_same_together() -> None:
    # Rows with one and two valid negatives at 0.9, all perfect positives: 6 * 0.5 each.
    valid = torch.tensor([[True, False], [True, True]])
    given = Scores(torch.ones(2), torch.full((2, 2), 0.9), valid, torch.zeros(2))
    assert CosineContrastive(0.4, 6.0)(given).item() == pytest.approx(3.0)
