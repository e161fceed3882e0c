"""The logistic function in one pass, against torch's."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import softplus

from twotower.loss.logistic import logistic_


@given(
    scale=st.sampled_from([1e-3, 1.0, 30.0, 1e3]),
    width=st.integers(1, 80),
    seed=st.integers(0, 99),
)
def test_sums_and_probabilities_are_those_of_torch(scale: float, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = scale * torch.randn(3, width, generator=generator)
    scores[torch.rand(3, width, generator=generator) < 0.3] = -math.inf
    scores[1, 0] = -math.inf
    exact = scores.double()
    sums = logistic_(scores)
    assert sums.tolist() == pytest.approx(softplus(exact).sum(1).tolist(), rel=1e-5, abs=1e-6)
    torch.testing.assert_close(scores, exact.sigmoid().float(), rtol=1e-5, atol=1e-30)


def test_nan_stays() -> None:
    assert logistic_(torch.tensor([[0.0, math.nan]])).isnan().all()
