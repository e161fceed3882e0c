"""The fused kernel takes the steps of autograd and the dense optimizer, within rounding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from twotower.loss import (
    BayesianPersonalisedRanking,
    BilateralSoftmax,
    BinaryCrossEntropy,
    CosineContrastive,
    GeneralisedBinaryCrossEntropy,
    Hinge,
    Loss,
    SampledSoftmax,
    Squared,
    StatesGradient,
    Warp,
    WeightedBinaryCrossEntropy,
)
from twotower.model import TwoTower
from twotower.negative_sampling import (
    AllItems,
    CrossBatchSampler,
    InBatchSampler,
    MixedSampler,
    PopularitySampler,
    SharedSampler,
    UniformSampler,
)
from twotower.tower import EmbeddingTower
from twotower.tower.prior import NoPrior, PopularityPrior, Prior
from twotower.training.batches import Batch, Batches
from twotower.training.fused import FusedStep
from twotower.types import Side, TrainInteractions

Similarity = Literal["dot", "cosine"]
N_USERS, N_ITEMS, N = 20, 30, 150
LOSSES: list[Loss] = [
    BayesianPersonalisedRanking(),
    BilateralSoftmax(None, 0.3, 1.2),
    BilateralSoftmax(0.7, 0.3, 1.0),
    BinaryCrossEntropy(),
    CosineContrastive(0.1, 3.0),
    GeneralisedBinaryCrossEntropy(0.5),
    Hinge(0.3),
    SampledSoftmax(0.5, True),
    SampledSoftmax(0.5, False),
    Squared(0.1),
    Warp(0.3),
    WeightedBinaryCrossEntropy(5.0),
]
SAMPLERS: list[Callable[..., object]] = [
    partial(UniformSampler, 3, True),
    partial(UniformSampler, 3, False),
    partial(PopularitySampler, 3, 0.75, True),
    partial(SharedSampler, 9, 0.5, True),
    partial(AllItems, False),
    partial(InBatchSampler, True, False),
    partial(CrossBatchSampler, 3, True),
    partial(
        MixedSampler, {"own": partial(UniformSampler, 2, True), "all": partial(AllItems, True)}
    ),
    partial(
        MixedSampler,
        {
            "batch": partial(InBatchSampler, True, False),
            "pool": partial(SharedSampler, 9, 0.5, True),
        },
    ),
]
NO_PRIOR = NoPrior()
ADAM = partial(torch.optim.Adam, lr=0.01)


def train_part(seed: int) -> TrainInteractions:
    generator = torch.Generator().manual_seed(seed)
    users = torch.randint(N_USERS, (N,), generator=generator)
    items = torch.randint(N_ITEMS, (N,), generator=generator)
    return TrainInteractions(users, items, N_USERS, N_ITEMS)


def model_of(
    similarity: Similarity, bias: bool, train: TrainInteractions, prior: Prior
) -> TwoTower:
    tower: Any = partial(EmbeddingTower, 5, 0.3, similarity, bias)
    users, items = Side("user", N_USERS, N_USERS, None), Side("item", N_ITEMS, N_ITEMS, None)
    tower = partial(tower, prior=prior)
    return TwoTower.build(tower, users=users, items=items, seed=0, train=train)


def autograd_step(
    model: TwoTower, loss: Loss, optimizer: torch.optim.Optimizer, l2: float
) -> Callable[[Batch, float], float]:
    def step(batch: Batch, rate: float) -> float:
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        scored = model.score(*batch)
        value = loss(scored.scores)
        total: Tensor = value + l2 * scored.mean_squared_norms()
        total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return value.item()

    return step


def assert_steps_agree(
    sampler: Callable[..., object],
    loss: Loss,
    similarity: Similarity,
    *,
    bias: bool = False,
    l2: float = 0.0,
    weighted: bool = False,
    prior: Prior = NO_PRIOR,
    optimizer: Callable[..., torch.optim.Optimizer] = ADAM,
    seed: int = 0,
) -> None:
    """Two epochs of 10 steps with a falling learning rate, the last batch smaller than the rest."""
    train = train_part(seed)
    weights = torch.linspace(0.2, 1.8, N) if weighted else None

    def batches() -> Batches:
        drawn = sampler(train=train, device=torch.device("cpu"))
        generator = torch.Generator().manual_seed(seed)
        return Batches(train.users, train.items, drawn, 16, generator, None, weights)  # type: ignore[arg-type]

    expected, found = (model_of(similarity, bias, train, prior) for _ in range(2))
    dense, by_rows = optimizer(expected.parameters()), optimizer(found.parameters())
    one_step = autograd_step(expected, loss, dense, l2)
    fused_step = FusedStep(found, loss, by_rows, l2)
    base = dense.param_groups[0]["lr"]
    for epoch in range(2):
        fused_step.start_epoch(10)
        for k, (batch, same) in enumerate(zip(batches(), batches(), strict=True)):
            rate = base * (1 - (10 * epoch + k) / 25)
            value, _ = fused_step(same, 16, [rate])
            assert value.item() == pytest.approx(one_step(batch, rate), rel=1e-4, abs=1e-5)
        fused_step.finish_epoch()
        for one, other in zip(found.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=2e-5)
    state, same_state = by_rows.state_dict()["state"], dense.state_dict()["state"]
    for each in same_state:
        for name, value in same_state[each].items():
            torch.testing.assert_close(state[each][name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@settings(max_examples=6, deadline=None)
@given(
    sampler=st.sampled_from(SAMPLERS),
    score=st.sampled_from([("dot", False, 0.0), ("dot", True, 0.01), ("cosine", False, 0.0)]),
    weighted=st.booleans(),
    prior=st.sampled_from([NO_PRIOR, PopularityPrior(0.7, learned=False)]),
    seed=st.integers(0, 99),
)
def test_each_loss_with_any_sampler_and_score(
    loss: Loss,
    sampler: Callable[..., object],
    score: tuple[Similarity, bool, float],
    weighted: bool,
    prior: Prior,
    seed: int,
) -> None:
    similarity, bias, l2 = score
    weighted = weighted and getattr(loss, "uses_weights", False)
    keys = {"bias": bias, "l2": l2, "weighted": weighted, "prior": prior, "seed": seed}
    assert_steps_agree(sampler, loss, similarity, **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_sampler(sampler: Callable[..., object]) -> None:
    assert_steps_agree(sampler, BinaryCrossEntropy(), "dot", bias=True, l2=0.003)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_row_without_valid_negatives_has_finite_gradients(loss: Loss) -> None:
    # User 0 has seen everything.
    users, items = torch.zeros(N_ITEMS, dtype=torch.int64), torch.arange(N_ITEMS)
    users, items = torch.cat([users, users[:1] + 1]), torch.cat([items, items[:1]])
    train = TrainInteractions(users, items, N_USERS, N_ITEMS)
    model = model_of("dot", False, train, NO_PRIOR)
    optimizer = ADAM(model.parameters())
    step = FusedStep(model, loss, optimizer, 0.0)
    for sampler in (SharedSampler(9, 0.0, True, train=train, device=torch.device("cpu")),):
        batch = next(iter(Batches(users, items, sampler, 31, torch.Generator(), None)))
        step.start_epoch(1)
        value, without = step(batch, 31, [0.01])
        assert value.isfinite()
        assert without == 30
        assert all(each.isfinite().all() for each in model.parameters())


def test_every_loss_of_scores_states_its_gradient() -> None:
    assert all(isinstance(loss, StatesGradient) for loss in LOSSES)
