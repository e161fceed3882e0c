"""The softmax in one pass, against torch's."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twotower.loss.softmax import softmax_


@given(
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    temperature=st.sampled_from([0.1, 1.0, 3.0]),
    width=st.integers(1, 40),
    shifted=st.sampled_from(["no", "pool", "own"]),
    beside=st.booleans(),
    seed=st.integers(0, 99),
)
def test_sums_and_shares_are_those_of_torch(
    scale: float, temperature: float, width: int, shifted: str, beside: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = scale * torch.randn(3, width, generator=generator)
    scores[torch.rand(3, width, generator=generator) < 0.3] = -math.inf
    scores[1] = -math.inf
    shapes = {"pool": (width,), "own": (3, width)}
    shift = torch.randn(shapes[shifted], generator=generator) if shifted in shapes else None
    other = torch.randn(3, generator=generator) if beside else None
    factor = torch.tensor([1.0, 2.0, 0.5])
    logits = scores.double() / temperature - (0.0 if shift is None else shift)
    expected = torch.logsumexp(logits, 1)
    total = expected if other is None else torch.logaddexp(expected, other.double())
    shares = torch.exp(logits - total[:, None]).nan_to_num(0.0) * factor[:, None]
    found = softmax_(scores, temperature, shift=shift, beside=other, factor=factor)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-5)
    torch.testing.assert_close(scores, shares.float(), rtol=1e-4, atol=1e-7)


def test_nan_stays() -> None:
    scores = torch.tensor([[0.0, math.nan]])
    assert softmax_(scores, 1.0, factor=torch.ones(1)).isnan().all()
