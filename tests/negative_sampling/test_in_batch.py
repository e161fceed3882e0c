"""In-batch negatives: the batch's positives, corrected by their counts."""

from __future__ import annotations

import math

import pytest
import torch
from made_histories import CPU, make_train  # type: ignore[import-not-found]

from twotower.core import seeding
from twotower.negative_sampling import InBatchSampler
from twotower.types import PositiveDistribution, TrainInteractions

# 5 interactions; counts are 2, 1, 2 and 0.
TRAIN = make_train([{0, 1}, {0, 2}, {2}], 4)
# (user, positive): (0, 0), (1, 2), (2, 2)
USERS, POSITIVES = torch.tensor([0, 1, 2]), torch.tensor([0, 2, 2])


def test_two_other_rows_bring_an_item_with_2_of_4_other_interactions_once() -> None:
    drawn = InBatchSampler(False, False, train=TRAIN, device=CPU).sample(
        USERS, POSITIVES, seeding.generator(0)
    )
    assert torch.equal(drawn.items, POSITIVES)
    assert drawn.log_expected_count.tolist() == pytest.approx([math.log(2 * 2 / 4)] * 3)


def test_counts_follow_the_weights_by_which_positives_are_drawn() -> None:
    """Three items at ages of 2, 1 and 0 half-lives come 14, 28 and 57 times in 100 draws."""
    positives = PositiveDistribution(torch.tensor([0.25, 0.5, 1.0], dtype=torch.float64))
    users, items = torch.zeros(3, dtype=torch.int64), torch.arange(3)
    train = TrainInteractions(users, items, 1, 3, positives=positives)
    sampler = InBatchSampler(False, False, train=train, device=CPU)
    rows = torch.zeros(101, dtype=torch.int64)  # one row and 100 others
    counts = sampler.expected_count(rows, items).tolist()
    assert counts == pytest.approx([100 / 7, 200 / 7, 400 / 7])


def test_a_batch_of_one_row_expects_nothing() -> None:
    sampler = InBatchSampler(False, False, train=TRAIN, device=CPU)
    drawn = sampler.sample(USERS[:1], POSITIVES[:1], seeding.generator(0))
    assert sampler.expected_count(USERS[:1], torch.arange(4)).tolist() == [0, 0, 0, 0]
    assert drawn.log_expected_count.tolist() == [0]
    assert drawn.valid is not None
    assert not drawn.valid.any()


def test_another_row_with_the_same_positive_is_no_negative() -> None:
    drawn = InBatchSampler(False, False, train=TRAIN, device=CPU).sample(
        USERS, POSITIVES, seeding.generator(0)
    )
    assert drawn.valid is not None
    assert drawn.valid.tolist() == [[False, True, True], [True, False, False], [True, False, False]]


def test_what_the_user_has_seen_is_no_negative_where_asked() -> None:
    drawn = InBatchSampler(True, False, train=TRAIN, device=CPU).sample(
        USERS, POSITIVES, seeding.generator(0)
    )
    assert drawn.valid is not None
    # User 1 has seen item 0, too.
    assert drawn.valid.tolist() == [[False, True, True], [False] * 3, [True, False, False]]


def test_a_positive_without_train_interactions_is_finite() -> None:
    sampler = InBatchSampler(False, False, train=TRAIN, device=CPU)
    users, positives = torch.tensor([0, 1]), torch.tensor([3, 0])
    drawn = sampler.sample(users, positives, seeding.generator(0))
    assert torch.isfinite(drawn.log_expected_count).all()
    # The other row brings no item 3, and item 0 in 2 of 4 cases.
    assert sampler.expected_count(users, positives).tolist() == pytest.approx([0, 2 / 4])
