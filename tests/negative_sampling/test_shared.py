"""A shared pool: its items come by their shares, and each row masks its own."""

from __future__ import annotations

import math

import pytest
import torch
from made_histories import CPU, make_train  # type: ignore[import-not-found]
from scipy.stats import chisquare

from twotower.core import seeding
from twotower.core.errors import ConfigError
from twotower.negative_sampling import SharedSampler

# Counts are 1, 2, 3 and 0.
TRAIN = make_train([{1}, {0, 1, 2}, {2}, {2}], 4)
ONE = torch.tensor([0])


@pytest.mark.parametrize(
    ("alpha", "chances"), [(0.0, [1 / 4, 1 / 4, 1 / 4, 1 / 4]), (1.0, [1 / 6, 2 / 6, 3 / 6, 0])]
)
def test_items_of_a_pool_come_by_their_shares(alpha: float, chances: list[float]) -> None:
    sampler, generator = (
        SharedSampler(3, alpha, False, train=TRAIN, device=CPU),
        seeding.generator(3),
    )
    draws = [sampler.sample(ONE, ONE, generator) for _ in range(1500)]
    counts = torch.bincount(torch.cat([draw.items for draw in draws]), minlength=4)
    possible = [item for item, chance in enumerate(chances) if chance]
    assert counts.nonzero().flatten().tolist() == possible
    expected = [4500 * chances[item] for item in possible]  # 1,500 x 3
    assert chisquare(counts[possible].numpy(), expected).pvalue > 0.01
    for draw in draws[:20]:
        stated = [math.log(3 * chances[item]) for item in draw.items.tolist()]
        assert draw.log_expected_count.tolist() == pytest.approx(stated, rel=1e-6, abs=1e-6)


def test_each_row_masks_its_positive_and_what_its_user_has_seen() -> None:
    users, positives = torch.tensor([0, 1, 2]), torch.tensor([3, 2, 0])
    # The row's positive, and of the users' histories {1}, {0, 1, 2} and {2}.
    masked = {False: [{3}, {2}, {0}], True: [{1, 3}, {0, 1, 2}, {0, 2}]}
    for exclude_seen, of_rows in masked.items():
        sampler = SharedSampler(4, 0.0, exclude_seen, train=TRAIN, device=CPU)
        for seed in range(10):
            drawn = sampler.sample(users, positives, seeding.generator(seed))
            assert drawn.valid is not None
            assert drawn.valid.tolist() == [
                [item not in items for item in drawn.items.tolist()] for items in of_rows
            ]


def test_a_pool_larger_than_the_items_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^num_negatives: got 5, but"):
        SharedSampler(5, 0.0, True, train=TRAIN, device=CPU)
