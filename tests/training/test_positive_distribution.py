"""The distribution of positives: what is drawn, and how often that brings each item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations, product
from math import prod

import pytest
import torch

from twotower.negative_sampling import CrossBatchSampler, InBatchSampler, NegativeSampler
from twotower.types import PositiveDistribution, TrainInteractions

ITEMS = torch.tensor([0, 0, 1, 2])  # 4 interactions; counts are 2, 1, 1
WEIGHTS = torch.tensor([1.0, 2.0, 4.0, 1.0], dtype=torch.float64)
Order = tuple[int, ...]


def epochs(weights: torch.Tensor | None) -> Iterator[tuple[Order, float]]:
    """Every order in which an epoch may bring the 4 interactions, with its probability."""
    if weights is None:
        for order in permutations(range(4)):
            yield order, 1 / 24
        return
    chances = (weights / weights.sum()).tolist()
    for order in product(range(4), repeat=4):
        yield order, prod(chances[i] for i in order)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize(
    "build", [partial(InBatchSampler, False, False), partial(CrossBatchSampler, 2, False)]
)
def test_given_a_row_every_other_item_weighs_1_over_all_epochs(
    build: Callable[..., NegativeSampler], weights: torch.Tensor | None
) -> None:
    """Exactly: batches of 3 and 1 rows, summed over all epochs with their probabilities.

    totals[batch][p, j]: over the rows of that batch whose positive is item p, the weights of the
    valid places of item j; seen[batch][p]: how often there are such rows.
    """
    train = TrainInteractions(torch.arange(4), ITEMS, 4, 3, positives=PositiveDistribution(weights))
    sampler = build(train=train, device=torch.device("cpu"))
    totals = torch.zeros(2, 3, 3, dtype=torch.float64)
    seen = torch.zeros(2, 3, dtype=torch.float64)
    for order, chance in epochs(weights):
        fresh = sampler.fresh()
        for number, rows in enumerate((order[:3], order[3:])):
            drawn = fresh.sample(
                torch.tensor(rows), ITEMS[list(rows)], torch.Generator().manual_seed(0)
            )
            assert drawn.valid is not None
            weight = torch.exp(-drawn.log_expected_count.double()) * drawn.valid * chance
            for row, positive in zip(weight, ITEMS[list(rows)], strict=True):
                totals[number, positive].index_add_(0, drawn.items, row)
                seen[number, positive] += chance
    means = totals / seen[:, :, None]
    others = ~torch.eye(3, dtype=torch.bool)
    torch.testing.assert_close(means[0][others], torch.ones(6).double(), rtol=1e-6, atol=0)
    # A row alone has no negatives in_batch; the memory has those of the batch before.
    alone = 1.0 if isinstance(sampler, CrossBatchSampler) else 0.0
    torch.testing.assert_close(means[1][others], torch.full((6,), alone).double())


def test_shares_worked_out_by_hand() -> None:
    # One other draw of a permutation has 3 interactions to choose from.
    uniform = PositiveDistribution().item_shares(ITEMS, 4)
    assert uniform.tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 3, 0])
    # One other independent draw: weights of 1 + 2, 4 and 1 of 8.
    weighted = PositiveDistribution(WEIGHTS).item_shares(ITEMS, 4)
    assert weighted.tolist() == pytest.approx([3 / 8, 4 / 8, 1 / 8, 0])


def test_draws_follow_the_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    distribution = PositiveDistribution(WEIGHTS)
    drawn = torch.cat([distribution.draw(4, generator) for _ in range(2000)])
    counts = torch.bincount(drawn, minlength=4).double()
    expected = 8000 * WEIGHTS / 8
    deviations = (expected * (1 - WEIGHTS / 8)).sqrt()
    assert ((counts - expected).abs() < 4 * deviations).all()


def test_a_permutation_brings_each_interaction_once() -> None:
    order = PositiveDistribution().draw(9, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(9))
