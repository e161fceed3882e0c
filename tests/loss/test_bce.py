"""Binary cross-entropy, by hand and against torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from twotower.loss import BinaryCrossEntropy
from twotower.types import Scores


def scores(positive: Tensor, negative: Tensor, valid: Tensor | None = None) -> Scores:
    return Scores(positive, negative, valid, torch.zeros(negative.shape[1]))


def test_value_by_hand() -> None:
    # sigmoid(0) = 1/2, sigmoid(ln 3) = 3/4. One positive at 0 costs -ln 1/2 = ln 2; negatives at 0
    # and at ln 3 cost -ln 1/2 = ln 2 and -ln(1 - 3/4) = ln 4 = 2 ln 2. Mean of three: 4/3 ln 2.
    loss = BinaryCrossEntropy()
    given = scores(torch.tensor([0.0]), torch.tensor([[0.0, math.log(3)]]))
    assert loss(given).item() == pytest.approx(4 / 3 * math.log(2))
    # Without the second negative: mean of ln 2 and ln 2.
    valid = torch.tensor([[True, False]])
    one = scores(torch.tensor([0.0]), torch.tensor([[0.0, math.log(3)]]), valid)
    assert loss(one).item() == pytest.approx(math.log(2))


def test_equals_torch_on_labels_one_and_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    positive = torch.randn(6, generator=generator)
    negative = torch.randn(6, 4, generator=generator)
    logits = torch.cat([positive[:, None], negative], 1)
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    assert BinaryCrossEntropy()(scores(positive, negative)).item() == pytest.approx(expected.item())


def test_large_scores_stay_finite() -> None:
    # -ln sigmoid(-100) = 100 to float precision, and -ln(1 - sigmoid(100)) = 100.
    given = scores(torch.tensor([-100.0]), torch.tensor([[100.0]]))
    assert BinaryCrossEntropy()(given).item() == pytest.approx(100.0)
