"""Bayesian personalised ranking, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from twotower.loss import BayesianPersonalisedRanking
from twotower.types import Scores


def test_value_by_hand() -> None:
    # sigmoid(ln 3 - 0) = 3/4 costs ln(4/3), sigmoid(ln 3 - ln 3) = 1/2 costs ln 2; the mean is
    # ln(4/3 * 2) / 2.
    positive, negative = torch.tensor([math.log(3)]), torch.tensor([[0.0, math.log(3)]])
    loss = BayesianPersonalisedRanking()
    given = Scores(positive, negative, None, torch.zeros(1, 2))
    assert loss(given).item() == pytest.approx(math.log(8 / 3) / 2)
    masked = Scores(positive, negative, torch.tensor([[False, True]]), torch.zeros(2))
    assert loss(masked).item() == pytest.approx(math.log(2))


def test_every_pair_weighs_the_same() -> None:
    # Row 0 has one valid pair (difference 0: ln 2), row 1 two (difference ln 3: ln 4/3 each).
    positive = torch.tensor([0.0, math.log(3)])
    valid = torch.tensor([[True, False], [True, True]])
    given = Scores(positive, torch.zeros(2, 2), valid, torch.zeros(2))
    expected = (math.log(2) + 2 * math.log(4 / 3)) / 3
    assert BayesianPersonalisedRanking()(given).item() == pytest.approx(expected)


def test_only_differences_of_scores_count() -> None:
    generator = torch.Generator().manual_seed(0)
    positive = torch.randn(6, generator=generator)
    negative = torch.randn(6, 4, generator=generator)
    counts = torch.zeros(4)
    loss = BayesianPersonalisedRanking()
    moved = loss(Scores(positive + 3, negative + 3, None, counts)).item()
    assert moved == pytest.approx(loss(Scores(positive, negative, None, counts)).item())
