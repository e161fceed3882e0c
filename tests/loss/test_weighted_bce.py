"""Weighted binary cross-entropy, by hand and against its unweighted relative."""

from __future__ import annotations

import math

import pytest
import torch

from twotower.loss import BinaryCrossEntropy, WeightedBinaryCrossEntropy
from twotower.types import Scores


def test_value_by_hand() -> None:
    # sigmoid(0) = 1/2 and sigmoid(ln 3) = 3/4: the positive at 0 costs ln 2, negatives at 0 and
    # ln 3 cost ln 2 and 2 ln 2, in the mean 1.5 ln 2. With w = 3: (1 + 3 * 1.5) / (1 + 3) ln 2.
    negative = torch.tensor([[0.0, math.log(3)]])
    given = Scores(torch.tensor([0.0]), negative, None, torch.zeros(1, 2))
    assert WeightedBinaryCrossEntropy(3.0)(given).item() == pytest.approx(5.5 / 4 * math.log(2))


def test_a_row_without_negatives_costs_its_positive_alone() -> None:
    # Row 0 keeps the negative at ln 3: (1 + 3 * 2) / 4 ln 2. Row 1 has none: 1/4 ln 2. Mean: ln 2.
    negative = torch.tensor([[0.0, math.log(3)], [5.0, 6.0]])
    valid = torch.tensor([[False, True], [False, False]])
    given = Scores(torch.zeros(2), negative, valid, torch.zeros(2))
    assert WeightedBinaryCrossEntropy(3.0)(given).item() == pytest.approx(math.log(2))


def test_a_weight_of_num_negatives_is_plain_binary_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    positive = torch.randn(6, generator=generator)
    negative = torch.randn(6, 4, generator=generator)
    given = Scores(positive, negative, None, torch.zeros(6, 4))
    expected = BinaryCrossEntropy()(given).item()
    assert WeightedBinaryCrossEntropy(4.0)(given).item() == pytest.approx(expected)


def test_the_balance_does_not_depend_on_how_many_negatives_are_drawn() -> None:
    one = Scores(torch.tensor([1.0]), torch.tensor([[0.5]]), None, torch.zeros(1))
    ten = Scores(torch.tensor([1.0]), torch.full((1, 10), 0.5), None, torch.zeros(10))
    loss = WeightedBinaryCrossEntropy(2.0)
    assert loss(one).item() == pytest.approx(loss(ten).item())
