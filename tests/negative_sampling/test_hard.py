"""Hard negatives: which candidates are kept, and the error for a wrong number of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from made_histories import CPU, make_train  # type: ignore[import-not-found]

from twotower.config import build, compose
from twotower.core import seeding
from twotower.core.errors import ConfigError
from twotower.negative_sampling import CrossBatchSampler, HardSampler, SharedSampler, UniformSampler
from twotower.negative_sampling.hardest import hardest_places, kept
from twotower.types import Hardest, Negatives

TRAIN = make_train([{1}, {0, 1, 2}, {2}, {2}], 4)
USERS, POSITIVES = torch.tensor([0, 2]), torch.tensor([1, 2])

SCORES = torch.tensor([[1.0, 5.0, 2.0, 4.0, 3.0, 0.0], [0.0, -1.0, -2.0, -3.0, -4.0, -5.0]])


def places(n: int, of_each: bool, valid: torch.Tensor | None = None) -> list[list[int]]:
    chosen: list[list[int]] = hardest_places(SCORES, valid, Hardest(n, of_each)).tolist()
    return chosen


def test_the_best_of_all_candidates() -> None:
    assert places(2, False) == [[1, 3], [0, 1]]
    assert places(6, False) == [[1, 3, 4, 2, 0, 5], [0, 1, 2, 3, 4, 5]]


def test_the_best_of_each_group() -> None:
    # Groups are the places 0, 2, 4 and 1, 3, 5.
    assert places(2, True) == [[4, 1], [0, 1]]
    # 0, 3; 1, 4; 2, 5.
    assert places(3, True) == [[3, 1, 2], [0, 1, 2]]
    assert places(1, True) == places(1, False) == [[1], [0]]


def test_groups_of_what_a_batch_brings_may_differ_by_one() -> None:
    # Four groups of six: 0, 4; 1, 5; 2; 3. Of five places in two: 0, 2, 4 and 1, 3.
    assert places(4, True) == [[4, 1, 2, 3], [0, 1, 2, 3]]
    assert hardest_places(SCORES[:, :5], None, Hardest(2, True)).tolist() == [[4, 1], [0, 1]]


@pytest.mark.parametrize("of_each", [True, False])
def test_what_is_not_valid_is_kept_only_where_too_little_else_is_left(of_each: bool) -> None:
    valid = torch.zeros(2, 6, dtype=torch.bool)
    valid[0, 5] = valid[1, 4:] = True
    # Row 0 must take one that is not valid, row 1 need not: with groups, 4 is of the first and 5
    # of the second.
    chosen = places(2, of_each, valid)
    assert 5 in chosen[0]
    assert chosen[1] == [4, 5]
    drawn = Negatives(torch.arange(6), torch.arange(6.0), valid)
    stated = kept(drawn, torch.tensor(chosen))
    assert stated.valid is not None
    assert stated.valid.sum(1).tolist() == [1, 2]


@pytest.mark.parametrize("of_each", [True, False])
def test_a_short_batch_keeps_all_it_has(of_each: bool) -> None:
    chosen = hardest_places(SCORES[:, :3], None, Hardest(5, of_each))
    assert chosen.sort(1).values.tolist() == [[0, 1, 2]] * 2


@hypothesis.given(
    seed=st.integers(0, 1000), n=st.integers(1, 9), candidates=st.integers(1, 9), of_each=...
)
@hypothesis.settings(max_examples=50, deadline=None)
def test_places_are_different_and_none_left_out_is_better(
    seed: int, n: int, candidates: int, of_each: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, candidates, generator=generator)
    valid = torch.rand(3, candidates, generator=generator) > 0.5
    chosen = hardest_places(scores, valid, Hardest(n, of_each))
    n = min(n, candidates)
    assert chosen.shape == (3, n)
    for row in range(3):
        mine = chosen[row].tolist()
        assert len(set(mine)) == n
        assert min(mine) >= 0
        assert max(mine) < candidates
        worth = [(bool(valid[row, i]), scores[row, i].item()) for i in range(candidates)]
        # With groups each is the best of its own; without, all are better than what is left.
        for place in mine:
            rivals = [i for i in range(candidates) if i not in mine]
            rivals = [i for i in rivals if not of_each or i % n == place % n]
            # Among what is not valid any may be taken.
            assert all(worth[place] >= worth[i] for i in rivals if worth[i][0])


def test_what_is_known_of_candidates_stays_with_them() -> None:
    chosen = torch.tensor([[2, 0], [1, 1]])
    valid = torch.tensor([[True, True, False], [False, True, True]])
    pool = kept(Negatives(torch.tensor([7, 8, 9]), torch.tensor([0.7, 0.8, 0.9]), valid), chosen)
    assert pool.items.tolist() == [[9, 7], [8, 8]]
    assert pool.log_expected_count.tolist() == torch.tensor([[0.9, 0.7], [0.8, 0.8]]).tolist()
    assert pool.valid is not None
    assert pool.valid.tolist() == [[False, True], [True, True]]
    assert pool.hardest is None
    items = torch.tensor([[1, 2, 3], [4, 5, 6]])
    own = kept(Negatives(items, items / 10, None), chosen)
    assert own.items.tolist() == [[3, 1], [5, 5]]
    assert own.log_expected_count.tolist() == (own.items / 10).tolist()
    assert own.valid is None


def test_candidates_are_drawn_as_their_own_sampler_draws_them() -> None:
    inner = partial(UniformSampler, 4, True)
    drawn = HardSampler(2, True, inner, train=TRAIN, device=CPU).sample(
        USERS, POSITIVES, seeding.generator(1)
    )
    plain = inner(train=TRAIN, device=CPU).sample(USERS, POSITIVES, seeding.generator(1))
    assert torch.equal(drawn.items, plain.items)
    assert torch.equal(drawn.log_expected_count, plain.log_expected_count)
    assert drawn.hardest == Hardest(2, True)


def test_a_fresh_one_has_fresh_candidates() -> None:
    sampler = HardSampler(1, False, partial(CrossBatchSampler, 3, False), train=TRAIN, device=CPU)
    generator = seeding.generator(0)
    sizes = [len(sampler.sample(USERS, POSITIVES, generator).items) for _ in range(2)]
    assert sizes == [2, 4]
    assert len(sampler.fresh().sample(USERS, POSITIVES, generator).items) == 2
    assert len(sampler.sample(USERS, POSITIVES, generator).items) == 6


HARD = "negative_sampling=hard"
NEGATIVES = "negative_sampling.num_negatives"
CANDIDATES = "negative_sampling.candidates"


def config(*overrides: str) -> dict[str, Any]:
    node: dict[str, Any] = compose("train", [HARD, *overrides])["negative_sampling"]
    return node


def test_candidates_are_chosen_by_the_file() -> None:
    node = config(f"negative_sampling@{CANDIDATES}=shared", f"{CANDIDATES}.num_negatives=3")
    drawn = build(node)(train=TRAIN, device=CPU).sample(USERS, POSITIVES, seeding.generator(4))
    assert drawn.items.shape == (3,)
    assert drawn.hardest == Hardest(1, False)


@pytest.mark.parametrize("of_each", [True, False])
def test_a_mixture_may_bring_the_candidates(of_each: bool) -> None:
    mixed = f"negative_sampling@{CANDIDATES}=mixed"
    shared = f"{CANDIDATES}.components.shared.num_negatives=4"
    node = config(mixed, shared, f"negative_sampling.of_each={str(of_each).lower()}")
    drawn = build(node)(train=TRAIN, device=CPU).sample(USERS, POSITIVES, seeding.generator(4))
    assert drawn.items.shape == (2 + 4,)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            [f"{NEGATIVES}=11"],
            f"{NEGATIVES}: got 11, but there are only 10 candidates; must be from 1 to 10",
        ),
        (
            [f"{NEGATIVES}=4", "negative_sampling.of_each=true"],
            f"{NEGATIVES}: got 4, which with of_each=true does not make equal groups of 10 "
            "candidates; must be one of 1, 2, 5, 10",
        ),
        (
            [
                f"{NEGATIVES}=31",
                f"negative_sampling@{CANDIDATES}=mixed",
                f"negative_sampling@{CANDIDATES}.components.in_batch=uniform",
                f"{CANDIDATES}.components.shared.num_negatives=20",
            ],
            f"{NEGATIVES}: got 31, but there are only 30 candidates; must be from 1 to 30",
        ),
        (
            [f"negative_sampling@{CANDIDATES}=hard"],
            f"{CANDIDATES}: got a sampler of hard negatives; "
            "expected one that keeps all its candidates",
        ),
        (
            [
                "negative_sampling=mixed",
                "negative_sampling@negative_sampling.components.shared=hard",
            ],
            "negative_sampling.components.shared: got a sampler of hard negatives, which selects "
            "among all negatives of a row; expected one that keeps all its candidates",
        ),
        ([f"{NEGATIVES}=0"], f"{NEGATIVES}: got 0; input should be greater than 0"),
        ([f"{CANDIDATES}=7"], f"{CANDIDATES}: got 7; "),
        ([f"{NEGATIVES}=two"], f"{NEGATIVES}: got 'two'; input should be a valid integer"),
    ],
)
def test_incompatible_choices_are_refused_before_data_is_read(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(*overrides)
    assert message in str(caught.value)
    assert "1 error" in str(caught.value)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 12])
def test_every_divisor_makes_equal_groups(n: int) -> None:
    overrides = [f"{NEGATIVES}={n}", f"{CANDIDATES}.num_negatives=12"]
    assert config(*overrides, "negative_sampling.of_each=true")["num_negatives"] == n


def test_errors_found_in_the_data_name_their_key() -> None:
    with pytest.raises(ConfigError, match=r"^candidates\.num_negatives: got 5, but the train"):
        HardSampler(1, False, partial(SharedSampler, 5, 0.0, True), train=TRAIN, device=CPU)
    with pytest.raises(ConfigError, match=r"^num_negatives: got 5, but the train part has only 4"):
        HardSampler(5, False, partial(CrossBatchSampler, 2, True), train=TRAIN, device=CPU)
