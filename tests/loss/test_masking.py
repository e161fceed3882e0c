"""What is not valid leaves no trace in any loss, neither in its value nor in its gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from twotower.loss import (
    BayesianPersonalisedRanking,
    BilateralSoftmax,
    BinaryCrossEntropy,
    CosineContrastive,
    GeneralisedBinaryCrossEntropy,
    Hinge,
    Loss,
    SampledSoftmax,
    Squared,
    Warp,
    WeightedBinaryCrossEntropy,
)
from twotower.types import Scores

LOSSES = [
    BayesianPersonalisedRanking(),
    BilateralSoftmax(1.0, 0.1, 1.0),
    BinaryCrossEntropy(),
    CosineContrastive(0.4, 10.0),
    GeneralisedBinaryCrossEntropy(1.0),
    GeneralisedBinaryCrossEntropy(0.5),
    Hinge(1.0),
    SampledSoftmax(0.1, True),
    SampledSoftmax(0.1, False),
    Squared(0.1),
    Warp(1.0),
    WeightedBinaryCrossEntropy(10.0),
]
EACH_LOSS = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)


def gradients(loss: Loss, positive: Tensor, negative: Tensor, valid: Tensor) -> list[Tensor]:
    """The value [], and gradients [B] and [B, N]."""
    positive, negative = positive.clone().requires_grad_(), negative.clone().requires_grad_()
    value = loss(Scores(positive, negative, valid, torch.linspace(-2, 1, negative.shape[1])))
    return [value.detach(), *torch.autograd.grad(value, (positive, negative))]


@EACH_LOSS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_valid_negatives_value_and_gradients_are_finite(
    loss: Loss, dtype: torch.dtype
) -> None:
    positive = torch.tensor([-30.0, 0.0, 30.0], dtype=dtype)
    for fill in (0.0, 1e4, float("inf"), float("-inf")):
        negative = torch.full((3, 4), fill, dtype=dtype)
        found = gradients(loss, positive, negative, torch.zeros(3, 4, dtype=torch.bool))
        assert all(torch.isfinite(tensor).all() for tensor in found)
        assert (found[2] == 0).all()


@EACH_LOSS
def test_infinite_scores_that_are_not_valid_change_no_gradient(loss: Loss) -> None:
    generator = torch.Generator().manual_seed(0)
    positive = torch.randn(3, generator=generator)
    negative = torch.randn(3, 4, generator=generator)
    valid = torch.tensor([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1]]).bool()
    expected = gradients(loss, positive, negative, valid)
    for fill in (float("inf"), float("-inf"), float("nan")):
        found = gradients(loss, positive, torch.where(valid, negative, fill), valid)
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


@EACH_LOSS
def test_far_scores_have_finite_gradients(loss: Loss) -> None:
    for size in (-1e4, 1e4):
        for valid in (torch.ones(2, 3).bool(), torch.tensor([[1, 1, 0], [0, 0, 0]]).bool()):
            far = (torch.full((2,), size), torch.full((2, 3), -size))
            assert all(torch.isfinite(tensor).all() for tensor in gradients(loss, *far, valid))


@EACH_LOSS
def test_counts_of_a_shared_pool_are_those_of_each_row(loss: Loss) -> None:
    generator = torch.Generator().manual_seed(0)
    positive = torch.randn(3, generator=generator)
    negative = torch.randn(3, 4, generator=generator)
    counts = torch.randn(4, generator=generator)
    for valid in (None, torch.rand(3, 4, generator=generator) < 0.5):
        shared = loss(Scores(positive, negative, valid, counts))
        own = loss(Scores(positive, negative, valid, counts.expand(3, 4)))
        assert torch.equal(shared, own)
