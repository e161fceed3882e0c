"""In-batch negatives: the batch's positives, corrected by their counts."""

from __future__ import annotations

import math

import pytest
import torch
from made_histories import CPU, make_train  # type: ignore[import-not-found]

from twotower import seeding
from twotower.negative_sampling import InBatchSampler

# 5 interactions; counts are 2, 1, 2 and 0.
TRAIN = make_train([{0, 1}, {0, 2}, {2}], 4)
# (user, positive): (0, 0), (1, 2), (2, 2)
USERS, POSITIVES = torch.tensor([0, 1, 2]), torch.tensor([0, 2, 2])


def test_a_batch_of_3_brings_an_item_with_2_of_5_interactions_6_fifths_times() -> None:
    drawn = InBatchSampler(False, train=TRAIN, device=CPU).sample(
        USERS, POSITIVES, seeding.generator(0)
    )
    assert torch.equal(drawn.items, POSITIVES)
    assert drawn.log_expected_count.tolist() == pytest.approx([math.log(3 * 2 / 5)] * 3)


def test_another_row_with_the_same_positive_is_no_negative() -> None:
    drawn = InBatchSampler(False, train=TRAIN, device=CPU).sample(
        USERS, POSITIVES, seeding.generator(0)
    )
    assert drawn.valid is not None
    assert drawn.valid.tolist() == [[False, True, True], [True, False, False], [True, False, False]]


def test_what_the_user_has_seen_is_no_negative_where_asked() -> None:
    drawn = InBatchSampler(True, train=TRAIN, device=CPU).sample(
        USERS, POSITIVES, seeding.generator(0)
    )
    assert drawn.valid is not None
    # User 1 has seen item 0, too.
    assert drawn.valid.tolist() == [[False, True, True], [False] * 3, [True, False, False]]


def test_a_positive_without_train_interactions_is_finite() -> None:
    sampler = InBatchSampler(False, train=TRAIN, device=CPU)
    users, positives = torch.tensor([0, 1]), torch.tensor([3, 0])
    drawn = sampler.sample(users, positives, seeding.generator(0))
    assert torch.isfinite(drawn.log_expected_count).all()
    # Of 2 places no train batch brings item 3, and item 0 is expected 2 * 2 / 5 times.
    assert sampler.expected_count(users, positives).tolist() == pytest.approx([0, 4 / 5])
