"""Uniform negatives: exact, without seen items, and never hanging."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_histories import CPU, make_train  # type: ignore[import-not-found]
from scipy.stats import chisquare

from twotower.core import seeding
from twotower.core.errors import ConfigError
from twotower.negative_sampling import UniformSampler


@given(
    histories=st.lists(st.sets(st.integers(0, 6)), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_seen_items_are_never_drawn_and_counts_are_exact(
    histories: list[set[int]], seed: int
) -> None:
    sampler = UniformSampler(5, True, train=make_train(histories, 7), device=CPU)
    users = torch.arange(len(histories))
    positives = torch.tensor([min(history, default=6) for history in histories])
    drawn = sampler.sample(users, positives, seeding.generator(seed))
    assert drawn.valid is not None
    assert drawn.items.shape == drawn.log_expected_count.shape == (len(histories), 5)
    for user, history in enumerate(histories):
        unseen = 7 - len(history)
        # All of a row but its own positive (6, where there is no history); none where all is seen.
        own = drawn.items[user] == positives[user]
        assert torch.equal(drawn.valid[user], ~own if unseen else torch.zeros(5, dtype=torch.bool))
        if unseen:
            assert not set(drawn.items[user].tolist()) & history
            # N draws, each of the m unseen items with probability 1/m: N/m times expected.
            assert drawn.log_expected_count[user, 0].item() == pytest.approx(math.log(5 / unseen))
    assert bool((drawn.items >= 0).all())
    assert bool((drawn.items < 7).all())


def test_each_unseen_item_is_as_likely_as_any_other() -> None:
    # Unseen of user 0: 0, 2, 5, 6; of user 1: 1, 3, 5, 7.
    train = make_train([{1, 3, 4, 7}, {0, 2, 4, 6}], 8)
    sampler = UniformSampler(8, True, train=train, device=CPU)
    users = torch.tensor([0, 1]).repeat(1000)
    items = sampler.sample(users, torch.zeros_like(users), seeding.generator(3)).items
    for user, unseen in ((0, [0, 2, 5, 6]), (1, [1, 3, 5, 7])):
        counts = torch.bincount(items[users == user].flatten(), minlength=8)
        assert counts.nonzero().flatten().tolist() == unseen
        assert chisquare(counts[unseen].numpy()).pvalue > 0.01


def test_without_exclusion_all_items_are_drawn_and_the_positive_does_not_count() -> None:
    train = make_train([{0, 1, 2}], 4)
    sampler = UniformSampler(4, False, train=train, device=CPU)
    users = torch.zeros(2000, dtype=torch.int64)
    positives = torch.full_like(users, 2)
    drawn = sampler.sample(users, positives, seeding.generator(5))
    counts = torch.bincount(drawn.items.flatten(), minlength=4)
    assert chisquare(counts.numpy()).pvalue > 0.01
    assert drawn.valid is not None
    assert torch.equal(drawn.valid, drawn.items != 2)
    # 4 draws over 4 items: each is expected once, and log 1 = 0.
    assert drawn.log_expected_count.abs().max() == 0


def test_one_generator_state_gives_one_draw() -> None:
    sampler = UniformSampler(3, True, train=make_train([{0}, {1, 2}], 9), device=CPU)
    users = torch.tensor([0, 1, 1])
    one, same = (sampler.sample(users, users, seeding.generator(7)).items for _ in range(2))
    other = sampler.sample(users, users, seeding.generator(8)).items
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_more_negatives_than_items_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        UniformSampler(5, True, train=make_train([{0}], 4), device=CPU)
    assert str(caught.value) == (
        "num_negatives: got 5, but the train part has only 4 items; must be from 1 to 4"
    )
