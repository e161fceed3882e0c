"""Losses that use expected counts: their gradients tend to those over all items.

A toy of 50 items and 4 positives. Pools are drawn with replacement, so an item of probability p is
expected N p times in N places; "all items" is the pool that holds each item once.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Generator, Tensor

from twotower.loss import Loss, SampledSoftmax, Squared, Warp
from twotower.types import Scores

N_ITEMS = 50
POSITIVES = torch.tensor([0, 7, 21, 49])
SCORES = torch.randn(4, N_ITEMS, generator=Generator().manual_seed(0), dtype=torch.float64)
PROBABILITIES = {
    "uniform": torch.full((N_ITEMS,), 1 / N_ITEMS, dtype=torch.float64),
    # Items that score higher are drawn more often, as popular ones are.
    "skewed": torch.softmax(2 * SCORES.mean(0), 0),
}
LOSSES: dict[str, Loss] = {
    "sampled_softmax": SampledSoftmax(0.5, True),
    "squared": Squared(0.1),
    "warp": Warp(1.0),
}
POOLS = (10, 100, 1000, 10_000)


def gradient(loss: Loss, items: Tensor, log_expected_count: Tensor) -> Tensor:
    """[4, 50] of the loss by the scores, with `items` ([N], or [4, N]) as negatives."""
    scores = SCORES.clone().requires_grad_()
    items = items.expand(4, items.shape[-1])
    value = loss(
        Scores(
            positive=scores.gather(1, POSITIVES[:, None])[:, 0],
            negative=scores.gather(1, items),
            valid=items != POSITIVES[:, None],
            log_expected_count=log_expected_count,
        )
    )
    return torch.autograd.grad(value, scores)[0]


def errors(loss: Loss, probabilities: Tensor, rows: int | None) -> list[float]:
    """Relative error of the gradient for each size of pool, in the mean over 10 draws."""
    exact = gradient(loss, torch.arange(N_ITEMS), torch.zeros(N_ITEMS))
    generator = Generator().manual_seed(1)
    found = []
    for n in POOLS:
        total = 0.0
        for _ in range(10):
            size = n * (rows or 1)
            drawn = torch.multinomial(probabilities, size, replacement=True, generator=generator)
            items = drawn.view(rows, n) if rows else drawn
            sampled = gradient(loss, items, torch.log(n * probabilities)[items])
            total += ((sampled - exact).norm() / exact.norm()).item() / 10
        found.append(total)
    return found


@pytest.mark.parametrize("sampling", PROBABILITIES)
@pytest.mark.parametrize("rows", [None, 4], ids=["shared", "own"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_tends_to_that_over_all_items(
    name: str, rows: int | None, sampling: str
) -> None:
    found = errors(LOSSES[name], PROBABILITIES[sampling], rows)
    # An error of 1 / sqrt(N) falls by 3.2 each time; from 10 places on it is nearly that.
    assert all(later < earlier / 1.5 for earlier, later in pairwise(found))
    assert found[-1] < 0.05


def test_without_correction_it_tends_elsewhere() -> None:
    found = errors(SampledSoftmax(0.5, False), PROBABILITIES["skewed"], None)
    # Ten times the places bring next to nothing, and leave several times the error of above.
    assert found[-1] > 0.9 * found[-2]
    assert found[-1] > 0.1
