"""Popular negatives: in proportion to a power of the counts, also among unseen items alone."""

from __future__ import annotations

import math

import pytest
import torch
from made_histories import CPU, make_train  # type: ignore[import-not-found]
from scipy.stats import chisquare

from twotower.config import compose
from twotower.core import seeding
from twotower.core.errors import ConfigError
from twotower.negative_sampling import PopularitySampler, popularity
from twotower.negative_sampling.item_weights import popularity_weights, random_ranks
from twotower.types import Negatives, TrainInteractions


def counted(counts: list[int]) -> TrainInteractions:
    """Return one user per row, with each item as often as given."""
    items = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return TrainInteractions(torch.arange(len(items)), items, len(items), len(counts))


def shares(counts: list[int], alpha: float) -> list[float]:
    weights = popularity_weights(counted(counts), alpha).double()
    shares: list[float] = (weights / weights.sum()).tolist()
    return shares


# user 0 has item 1; 1 has 0, 1, 2; 2 and 3 have 2: counts are 1, 2, 3 and 0.
TRAIN = make_train([{1}, {0, 1, 2}, {2}, {2}], 4)


def draw(alpha: float, exclude_seen: bool, user: int, positive: int, rows: int = 1) -> Negatives:
    sampler = PopularitySampler(4, alpha, exclude_seen, train=TRAIN, device=CPU)
    users = torch.full((rows,), user)
    return sampler.sample(users, torch.full_like(users, positive), seeding.generator(2))


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (0.5, [1 / 14, 4 / 14, 9 / 14, 0]),  # square roots 1, 4, 9
        (1.0, [1 / 98, 16 / 98, 81 / 98, 0]),
        (0.25, [1 / 6, 2 / 6, 3 / 6, 0]),
        (0.0, [1 / 4, 1 / 4, 1 / 4, 1 / 4]),  # uniform: also what no train interaction has
    ],
)
def test_shares_are_a_power_of_the_counts(alpha: float, expected: list[float]) -> None:
    assert shares([1, 16, 81, 0], alpha) == pytest.approx(expected, rel=1e-12)


def test_what_can_come_keeps_a_share_however_small() -> None:
    # (1 / 3)^40 = 8e-20 is less than 1 in 2^48 = 2.8e14.
    assert popularity_weights(counted([1, 3, 0]), 40.0).tolist() == [1, 2**48, 0]


def test_keys_of_very_many_users_still_fit_64_bits() -> None:
    train = TrainInteractions(torch.tensor([0, 1]), torch.tensor([0, 2]), 2**40, 3)
    weights = popularity_weights(train, 0.75)
    assert weights.tolist() == [2**21, 0, 2**21]  # 2^62 / 2^40 = 2^22, half for each


def test_ranks_are_below_their_bound_and_spread_evenly() -> None:
    bounds = torch.tensor([[0], [1], [5], [2**49 + 3]])
    ranks = random_ranks((4, 5000), bounds, seeding.generator(1))
    assert ranks[:2].abs().max() == 0
    assert chisquare(torch.bincount(ranks[2], minlength=5).numpy()).pvalue > 0.01
    assert len(torch.bincount(ranks[2])) == 5
    assert 0 <= ranks[3].min() < ranks[3].max() < 2**49 + 3


@pytest.mark.parametrize(
    ("user", "chances"),
    [
        (0, [1 / 4, 0, 3 / 4, 0]),  # item 1 was seen; 1 and 3 are left of the counts
        (2, [1 / 3, 2 / 3, 0, 0]),  # item 2 was seen
    ],
)
def test_unseen_items_keep_their_proportions(user: int, chances: list[float]) -> None:
    drawn = draw(1.0, True, user, positive=3, rows=2000)
    counts = torch.bincount(drawn.items.flatten(), minlength=4)
    possible = [item for item, chance in enumerate(chances) if chance]
    assert counts.nonzero().flatten().tolist() == possible
    expected = [8000 * chances[item] for item in possible]  # 2,000 x 4 draws
    assert chisquare(counts[possible].numpy(), expected).pvalue > 0.01
    assert drawn.valid is not None
    assert drawn.valid.all()
    for item in possible:
        stated = drawn.log_expected_count[drawn.items == item]
        assert stated[0].item() == pytest.approx(math.log(4 * chances[item]), rel=1e-5)
        assert (stated == stated[0]).all()


def test_widths_that_end_where_a_point_falls_belong_to_the_next_item(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Widths of 2, 0, 1, 3, 0 instead of some 2^46: each of the few points is next to a border.
    monkeypatch.setattr(popularity, "popularity_weights", lambda *_: torch.tensor([2, 0, 1, 3, 0]))
    train = make_train([set(), {0}, {2, 4}, {1, 3}, {0, 3}], 5)
    widths = {0: [2, 0, 1, 3, 0], 1: [0, 0, 1, 3, 0], 2: [2, 0, 0, 3, 0], 3: [2, 0, 1, 0, 0]}
    for exclude_seen in (True, False):
        sampler = PopularitySampler(5, 1.0, exclude_seen, train=train, device=CPU)
        for user in range(4):
            users = torch.full((600,), user)
            drawn = sampler.sample(users, torch.full_like(users, 4), seeding.generator(6)).items
            left = torch.tensor(widths[user if exclude_seen else 0], dtype=torch.float64)
            counts = torch.bincount(drawn.flatten(), minlength=5)
            assert torch.equal(counts > 0, left > 0)
            expected = 3000 * left / left.sum()  # 600 rows of 5
            assert chisquare(counts[left > 0].numpy(), expected[left > 0].numpy()).pvalue > 0.01
        only_one = sampler.sample(torch.tensor([4]), torch.tensor([1]), seeding.generator(6))
        assert not exclude_seen or only_one.items.tolist() == [[2] * 5]  # 0 and 3 were seen


def test_without_exclusion_the_history_does_not_matter_but_the_positive_does() -> None:
    drawn = draw(1.0, False, user=1, positive=2, rows=2000)
    counts = torch.bincount(drawn.items.flatten(), minlength=4)
    # 8,000 draws in proportion to 1, 2, 3 and 0.
    expected = [8000 / 6, 16000 / 6, 24000 / 6]
    assert counts[3] == 0
    assert chisquare(counts[:3].numpy(), expected).pvalue > 0.01
    assert drawn.valid is not None
    assert torch.equal(drawn.valid, drawn.items != 2)
    of_one = drawn.log_expected_count[drawn.items == 1]
    assert of_one[0].item() == pytest.approx(math.log(4 * 2 / 6), rel=1e-6)


def test_a_user_whose_unseen_items_cannot_come_has_no_negatives() -> None:
    # User 1 has not seen item 3 alone, and nobody has it.
    drawn = draw(1.0, True, user=1, positive=0)
    assert drawn.valid is not None
    assert not drawn.valid.any()
    assert torch.isfinite(drawn.log_expected_count).all()
    assert drawn.items.max() < 4


def test_with_alpha_0_an_item_without_interactions_comes_like_any_other() -> None:
    drawn = draw(0.0, True, user=1, positive=0)
    assert drawn.items.tolist() == [[3, 3, 3, 3]]  # all else was seen
    assert drawn.valid is not None
    assert drawn.valid.all()
    assert drawn.log_expected_count.tolist() == [[pytest.approx(math.log(4))] * 4]


def test_expected_counts_can_be_asked_for_any_item() -> None:
    sampler = PopularitySampler(4, 1.0, True, train=TRAIN, device=CPU)
    every = torch.arange(4).expand(3, -1)
    # 4 draws; for user 1 nothing is left.
    assert sampler.expected_count(torch.tensor([0, 1, 2]), every).tolist() == [
        pytest.approx([1, 0, 3, 0]),
        pytest.approx([0, 0, 0, 0]),
        pytest.approx([4 / 3, 8 / 3, 0, 0]),
    ]


def test_a_negative_power_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        compose("train", ["negative_sampling=popularity", "negative_sampling.alpha=-0.5"])
    assert "negative_sampling.alpha: got -0.5; input should be greater than or equal to 0" in str(
        caught.value
    )


def test_more_negatives_than_items_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"num_negatives: got 5, .* only 4 items"):
        PopularitySampler(5, 1.0, True, train=TRAIN, device=CPU)
