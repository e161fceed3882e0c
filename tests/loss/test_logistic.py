"""The gradients of logistic losses in one pass, against autograd."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twotower.loss import (
    BayesianPersonalisedRanking,
    BinaryCrossEntropy,
    GeneralisedBinaryCrossEntropy,
    WeightedBinaryCrossEntropy,
)
from twotower.types import MaskedScores, Scores

LOSSES = [
    BayesianPersonalisedRanking(),
    BinaryCrossEntropy(),
    GeneralisedBinaryCrossEntropy(0.7),
    WeightedBinaryCrossEntropy(3.0),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@given(
    scale=st.sampled_from([1e-3, 1.0, 30.0, 1e3]),
    # From many rows to a tile of the pass, to rows that are longer than a tile.
    shape=st.sampled_from([(1, 1), (5, 3), (300, 10), (3, 80), (2, 2100)]),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_values_and_gradients_are_those_of_autograd(
    loss: BinaryCrossEntropy, scale: float, shape: tuple[int, int], weighted: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    positive = scale * torch.randn(shape[0], generator=generator)
    negative = scale * torch.randn(shape, generator=generator)
    valid = torch.rand(shape, generator=generator) < 0.7
    log_counts = torch.randn(shape, generator=generator)
    weights = torch.rand(shape[0], generator=generator) if weighted else None
    masked = negative.where(valid, -math.inf)
    exact = positive.double().requires_grad_(), negative.double().requires_grad_()
    value = loss(Scores(*exact, valid, log_counts, weights=weights))
    value.backward()  # type: ignore[no-untyped-call]
    found = MaskedScores(positive, masked, valid.sum(1), log_counts, weights)
    assert loss.gradient_(found).item() == pytest.approx(value.item(), rel=1e-5, abs=1e-6)
    for own, other in zip((found.positive, found.negative), exact, strict=True):
        torch.testing.assert_close(own.double(), other.grad, rtol=2e-5, atol=1e-8)


def test_nan_stays() -> None:
    scores = MaskedScores(
        torch.zeros(1), torch.tensor([[0.0, math.nan]]), torch.tensor([2]), torch.zeros(1, 2)
    )
    assert BinaryCrossEntropy().gradient_(scores).isnan()
    assert scores.negative[0, 1].isnan()
