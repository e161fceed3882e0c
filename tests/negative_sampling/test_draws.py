"""Random numbers are those that torch draws, and leave its generator where torch does."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twotower.negative_sampling import PopularitySampler, UniformSampler
from twotower.negative_sampling.ascending import AscendingRows
from twotower.negative_sampling.draws import random_below
from twotower.types import TrainInteractions


@given(
    below=st.sampled_from([1, 2, 3, 1682, 2**20 + 1, 2**28 - 1, 2**28, 2**40]),
    sizes=st.lists(st.integers(0, 1300), min_size=1, max_size=4),
    seed=st.integers(0, 2**62),
)
def test_integers_are_those_of_torch(below: int, sizes: list[int], seed: int) -> None:
    own, expected = (torch.Generator().manual_seed(seed) for _ in range(2))
    for size in sizes:  # a state has 624 words
        drawn = torch.randint(below, (size,), generator=expected)
        assert torch.equal(random_below(below, (size,), own), drawn)
    assert torch.equal(own.get_state(), expected.get_state())


def test_points_are_those_of_torch_where_nothing_is_passed_over() -> None:
    own, expected = (torch.Generator().manual_seed(1) for _ in range(2))
    totals = torch.tensor([5, 2**50])
    lines = AscendingRows(torch.zeros(3, dtype=torch.int64), totals[:0], 2**50 + 1)
    rows = torch.tensor([0, 1, 0])
    points = lines.pass_over(rows, totals, None, 400, own)
    uniform = torch.rand(3, 400, generator=expected, dtype=torch.float64)
    assert torch.equal(points, (uniform * totals[rows, None]).long())
    assert torch.equal(own.get_state(), expected.get_state())


@pytest.mark.parametrize(
    "make",
    [
        partial(UniformSampler, 3, True),
        partial(UniformSampler, 3, False),
        partial(PopularitySampler, 3, 0.5, True),
        partial(PopularitySampler, 3, 0.5, False),
    ],
)
def test_batches_sampled_at_once_are_those_sampled_one_by_one(
    make: partial[UniformSampler],
) -> None:
    users, items = torch.randint(9, (2, 50), generator=torch.Generator().manual_seed(0))
    train = TrainInteractions(users, items, n_users=9, n_items=9)
    sampler = make(train=train, device=torch.device("cpu"))
    assert sampler.samples_by_row
    generator = torch.Generator().manual_seed(3)
    parts = [
        sampler.sample(users[k : k + 20], items[k : k + 20], generator) for k in range(0, 50, 20)
    ]
    whole = sampler.sample(users, items, torch.Generator().manual_seed(3))
    for name in ("items", "valid", "log_expected_count"):
        one_by_one = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(getattr(whole, name), one_by_one)
