"""Mixtures: one expected count, whichever component brings an item."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from made_histories import CPU, make_train  # type: ignore[import-not-found]

from twotower.config import build, compose
from twotower.core import seeding
from twotower.core.errors import ConfigError
from twotower.negative_sampling import (
    CrossBatchSampler,
    InBatchSampler,
    MixedSampler,
    NegativeSampler,
    PopularitySampler,
    SharedSampler,
    UniformSampler,
)
from twotower.types import Negatives

# 6 interactions; counts are 1, 2, 3 and 0.
TRAIN = make_train([{1}, {0, 1, 2}, {2}, {2}], 4)
USERS, POSITIVES = torch.tensor([0, 2]), torch.tensor([1, 2])

Component = Callable[..., NegativeSampler]


def mixture(**components: Component) -> MixedSampler:
    return MixedSampler(components, train=TRAIN, device=CPU)


def draw(**components: Component) -> Negatives:
    return mixture(**components).sample(USERS, POSITIVES, seeding.generator(4))


def assert_told(drawn: Negatives, counts: Sequence[float]) -> None:
    stated = [math.log(counts[item]) for item in drawn.items.flatten().tolist()]
    assert drawn.log_expected_count.flatten().tolist() == pytest.approx(stated, abs=1e-6)


def test_pools_are_put_one_after_the_other_and_counts_added_up() -> None:
    drawn = draw(
        batch=partial(InBatchSampler, False, False), pool=partial(SharedSampler, 4, 0.0, False)
    )
    assert drawn.items.shape == (6,)
    assert drawn.items[:2].tolist() == [1, 2]
    # The other row brings count / 5, 4 uniform draws bring each of 4 items once.
    assert_told(drawn, [1 + 1 / 5, 1 + 2 / 5, 1 + 3 / 5, 1])
    assert drawn.valid is not None
    assert torch.equal(drawn.valid, drawn.items != POSITIVES[:, None])


def test_negatives_of_their_own_stay_so() -> None:
    drawn = draw(
        uniform=partial(UniformSampler, 4, False), popular=partial(PopularitySampler, 3, 1.0, False)
    )
    assert drawn.items.shape == (2, 7)
    # 4 uniform draws: each of 4 items once; 3 popular ones: 3 * count / 6.
    assert_told(drawn, [1.5, 2, 2.5, 1])


def test_a_pool_mixed_with_own_negatives_is_part_of_each_row() -> None:
    drawn = draw(
        own=partial(PopularitySampler, 4, 1.0, True), pool=partial(InBatchSampler, True, False)
    )
    assert drawn.items.shape == drawn.log_expected_count.shape == (2, 6)
    assert drawn.items[:, 4:].tolist() == [[1, 2], [1, 2]]
    assert drawn.valid is not None
    # User 0 has seen 1, user 2 has seen 2; positives are 1 and 2.
    assert drawn.valid[:, 4:].tolist() == [[False, True], [True, False]]
    assert drawn.valid[:, :4].all()
    # 4 popular draws, for user 0 of items 0 (1 of 4) and 2 (3 of 4), for user 2 of 0 (1 of 3) and
    # 1 (2 of 3); the other row brings 1/5, 2/5, 3/5 and 0 of items 0 to 3 to either.
    row_0, row_1 = (Negatives(drawn.items[r], drawn.log_expected_count[r], None) for r in (0, 1))
    assert_told(row_0, [1 + 1 / 5, 2 / 5, 3 + 3 / 5, 0])
    assert_told(row_1, [4 / 3 + 1 / 5, 8 / 3 + 2 / 5, 3 / 5, 0])


def test_a_mixture_of_one_is_that_one() -> None:
    alone = SharedSampler(3, 0.5, True, train=TRAIN, device=CPU).sample(
        USERS, POSITIVES, seeding.generator(4)
    )
    drawn = draw(only=partial(SharedSampler, 3, 0.5, True))
    assert torch.equal(drawn.items, alone.items)
    assert torch.equal(drawn.log_expected_count, alone.log_expected_count)
    assert drawn.valid is not None
    assert alone.valid is not None
    assert torch.equal(drawn.valid, alone.valid)


def test_mixtures_nest() -> None:
    inner = partial(MixedSampler, {"pool": partial(SharedSampler, 4, 0.0, False)})
    drawn = draw(batch=partial(InBatchSampler, False, False), inner=inner)
    assert_told(drawn, [1 + 1 / 5, 1 + 2 / 5, 1 + 3 / 5, 1])  # as without the nest


def test_a_fresh_mixture_has_fresh_components() -> None:
    mixed = mixture(memory=partial(CrossBatchSampler, 3, False))
    generator = seeding.generator(0)
    sizes = [len(mixed.sample(USERS, POSITIVES, generator).items) for _ in range(2)]
    assert sizes == [2, 4]
    assert len(mixed.fresh().sample(USERS, POSITIVES, generator).items) == 2
    assert len(mixed.sample(USERS, POSITIVES, generator).items) == 6


def test_what_a_component_remembers_is_counted() -> None:
    mixed = mixture(
        memory=partial(CrossBatchSampler, 3, False), pool=partial(SharedSampler, 4, 0.0, False)
    )
    generator = seeding.generator(0)
    for n_remembered in (2, 4, 6, 6):
        drawn = mixed.sample(USERS, POSITIVES, generator)
        assert drawn.items.shape == (n_remembered + 4,)
        # The other places of the memory bring (n - 1) * count / 5 of an item, the pool each once.
        assert_told(drawn, [(n_remembered - 1) * count / 5 + 1 for count in (1, 2, 3, 0)])


def config(*overrides: str) -> dict[str, Any]:
    node: dict[str, Any] = compose("train", ["negative_sampling=mixed", *overrides])[
        "negative_sampling"
    ]
    return node


POOL = "negative_sampling.components.shared"


def test_components_are_chosen_and_changed_by_the_file() -> None:
    node = config(
        f"negative_sampling@{POOL}=popularity",
        f"{POOL}.num_negatives=3",
        "+negative_sampling@negative_sampling.components.more=uniform",
        "negative_sampling.components.more.num_negatives=2",
    )
    drawn = build(node)(train=TRAIN, device=CPU).sample(USERS, POSITIVES, seeding.generator(4))
    assert drawn.items.shape == (2, 2 + 3 + 2)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            [f"{POOL}.exclude_seen=false"],
            "negative_sampling.components: got exclude_seen in_batch=true, shared=false; "
            "must be the same in all of them",
        ),
        (
            [f"{POOL}=7"],
            "negative_sampling.components.shared: got 7; must be a class or function",
        ),
        (
            ["~negative_sampling.components.shared", "~negative_sampling.components.in_batch"],
            "negative_sampling.components: got {}; expected one or more named samplers",
        ),
        ([f"{POOL}.num_negatives=0"], f"{POOL}.num_negatives: got 0; input should be greater"),
    ],
)
def test_wrong_components_are_refused_before_data_is_read(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(*overrides)
    assert message in str(caught.value)


def test_an_error_of_a_component_names_its_key() -> None:
    with pytest.raises(ConfigError) as caught:
        mixture(pool=partial(SharedSampler, 5, 0.0, True))
    assert str(caught.value).startswith(
        "components.pool.num_negatives: got 5, but the train part has only 4"
    )
