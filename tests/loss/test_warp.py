"""WARP by hand, and against a loop over the whole ranking."""

from __future__ import annotations

import math

import pytest
import torch

from twotower.loss import Warp
from twotower.types import Scores


def test_value_by_hand() -> None:
    # Positive at 1, margin 1: negatives at 0.5, -1 and 2 have hinges 0.5, 0 and 2. 3 uniform draws
    # from 6 items: expected counts 1/2, weights 2. Two violate: rank 4, L = 1 + 1/2 + 1/3 + 1/4 =
    # 25/12. Cost: 25/12 / 4 * (2 * 0.5 + 2 * 2) = 125/48.
    negative, counts = torch.tensor([[0.5, -1.0, 2.0]]), torch.full((3,), math.log(1 / 2))
    given = Scores(torch.tensor([1.0]), negative, None, counts)
    assert Warp(1.0)(given).item() == pytest.approx(125 / 48)
    # Without the last: rank 2, L = 3/2. Cost: 3/2 / 2 * (2 * 0.5) = 3/4.
    masked = Scores(torch.tensor([1.0]), negative, torch.tensor([[1, 1, 0]]).bool(), counts)
    assert Warp(1.0)(masked).item() == pytest.approx(3 / 4)


def test_a_positive_that_leads_all_by_the_margin_costs_nothing() -> None:
    given = Scores(torch.tensor([3.0]), torch.tensor([[1.0, 0.0]]), None, torch.zeros(2))
    assert Warp(1.0)(given).item() == 0


def test_on_all_items_it_is_the_rank_weighted_hinge() -> None:
    generator = torch.Generator().manual_seed(0)
    positive = torch.randn(6, generator=generator, dtype=torch.float64)
    negative = torch.randn(6, 20, generator=generator, dtype=torch.float64)
    expected = 0.0
    for own, others in zip(positive.tolist(), negative.tolist(), strict=True):
        hinges = [0.5 - own + other for other in others if 0.5 - own + other > 0]
        weight = sum(1 / k for k in range(1, len(hinges) + 1))
        expected += weight * sum(hinges) / max(len(hinges), 1) / 6
    given = Scores(positive, negative, None, torch.zeros(20))
    assert Warp(0.5)(given).item() == pytest.approx(expected)


def test_the_same_slip_counts_more_near_the_top() -> None:
    # One more violation of 0.1: from rank 1 to 2 the weight L rises by 1/2, from 9 to 10 by 1/10.
    def cost(rank: int) -> float:
        negative = torch.where(torch.arange(20) < rank, -0.9, -9.0)[None].double()
        return Warp(1.0)(Scores(torch.zeros(1).double(), negative, None, torch.zeros(20))).item()

    assert cost(2) - cost(1) == pytest.approx(0.1 / 2, rel=1e-5)
    assert cost(10) - cost(9) == pytest.approx(0.1 / 10, rel=1e-5)
