"""Priors on counts small enough to check by hand."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from twotower.core.errors import DataError
from twotower.loss import SampledSoftmax
from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.tower.prior import (
    ItemPrior,
    NoPrior,
    PopularityPrior,
    Prior,
    RecentPopularityPrior,
)
from twotower.training.fused import why_not_fused
from twotower.types import Hardest, Histories, Negatives, Side, TrainInteractions

DAY = 86_400_000_000
# Items 0 to 2 have 1, 1 and 3 interactions, aged 2, 0 and 4, 2, 0 days; item 3 is cold.
TRAIN = TrainInteractions(
    users=torch.tensor([0, 0, 0, 1, 1]),
    items=torch.tensor([2, 0, 2, 1, 2]),
    n_users=2,
    n_items=3,
    timestamps=torch.tensor([0, 2, 2, 4, 4]) * DAY,
)
ITEMS = Side("item", 4, 3, None)
NOTHING = Histories.of(
    torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64), 0, True
)


def standardised(values: list[float]) -> list[float]:
    mean = sum(values) / len(values)
    deviation = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    return [(value - mean) / deviation for value in values]


def built(
    prior: Prior, similarity: Literal["dot", "cosine"] = "dot", bias: bool = False
) -> TwoTower:
    tower: Any = partial(EmbeddingTower, 2, 1.0, similarity, bias)
    users = Side("user", 2, 2, None)
    return TwoTower.build(
        partial(tower, prior=prior),
        users=users,
        items=Side("item", 3, 3, None),
        seed=0,
        train=TRAIN,
    )


def test_the_log_of_counts_is_standardised_over_train_and_cold_items_get_the_mean() -> None:
    prior = PopularityPrior(weight=2.0, learned=False).of_items(ITEMS, TRAIN)
    z = standardised([math.log(2), math.log(2), math.log(4)])
    assert prior.values.tolist() == pytest.approx(z)
    expected = [2 * z[2], 0.0, 2 * z[0]]
    assert prior(torch.tensor([2, 3, 0])).tolist() == pytest.approx(expected)
    assert prior.table(4).tolist() == pytest.approx([*(2 * each for each in z), 0.0])


def test_recent_interactions_count_by_their_age_at_the_end_of_train() -> None:
    prior = RecentPopularityPrior(2.0, weight=1.0, learned=False).of_items(ITEMS, TRAIN)
    # Half-life of 2 days: 1/2, 1 and 1/4 + 1/2 + 1.
    z = standardised([math.log(1.5), math.log(2), math.log(2.75)])
    assert prior.values.tolist() == pytest.approx(z)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8))
def test_any_counts_have_a_finite_prior_of_mean_0(counts: list[float]) -> None:
    values = ItemPrior(torch.tensor(counts), len(counts), 1.0, False).values
    assert torch.isfinite(values).all()
    assert values.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert (torch.argsort(torch.tensor(counts).double()) == torch.argsort(values)).all() or (
        len(set(counts)) < len(counts) or len(set(values.tolist())) < len(counts)
    )


def test_equal_counts_give_no_prior_score() -> None:
    assert ItemPrior(torch.full((3,), 7), 3, 1.0, False).values.tolist() == [0, 0, 0]


def test_a_log_without_moments_has_no_recent_popularity() -> None:
    prior = RecentPopularityPrior(2.0, weight=1.0, learned=False)
    without = TrainInteractions(TRAIN.users, TRAIN.items, 2, 3)
    with pytest.raises(DataError, match=r"tower\.prior: recent_popularity needs the time"):
        prior.of_items(ITEMS, without)


def test_without_a_prior_a_model_is_as_it_was() -> None:
    model, plain = built(NoPrior()), built(PopularityPrior(1.0, False))
    assert model.prior is None
    assert model.encode_items(torch.tensor([0])).shape == (1, 2)
    assert model.state_dict().keys() == {"user_tower.weight", "item_tower.weight"}
    for name, weights in model.state_dict().items():  # a prior draws nothing
        assert torch.equal(weights, plain.state_dict()[name])


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("learned", [True, False])
def test_a_prior_is_one_more_dimension_of_one_dot_product(
    similarity: Literal["dot", "cosine"], learned: bool
) -> None:
    model, plain = built(PopularityPrior(3.0, learned), similarity), built(NoPrior(), similarity)
    users, items = torch.tensor([0, 1]), torch.arange(3)
    assert model.encode_users(users)[:, -1].tolist() == [1.0, 1.0]
    assert model.prior is not None
    scorer = model.scorer(NOTHING)
    assert torch.equal(scorer.items, model.encode_items(items))
    assert torch.equal(scorer.users, model.encode_users(users))
    expected = plain.scorer(NOTHING).score_all(users) + model.prior.table(3)
    torch.testing.assert_close(scorer.score_all(users), expected.detach())
    pairs = model(torch.tensor([0, 0, 1]), items)
    torch.testing.assert_close(pairs, expected[[0, 0, 1], [0, 1, 2]])


@pytest.mark.parametrize("items", [torch.tensor([2, 1]), torch.tensor([[1, 2], [0, 2]])])
def test_the_loss_sees_scores_with_the_prior_and_embeddings_without(items: Tensor) -> None:
    model, plain = built(PopularityPrior(3.0, False)), built(NoPrior())
    users, positives = torch.tensor([0, 1]), torch.tensor([0, 1])
    negatives = Negatives(items, torch.zeros(items.shape), None)
    scored, without = (each.score(users, positives, negatives) for each in (model, plain))
    everything = model.scorer(NOTHING).score_all(users)
    wanted = everything.gather(1, items.expand(2, -1))
    torch.testing.assert_close(scored.scores.positive, everything[[0, 1], [0, 1]])
    torch.testing.assert_close(scored.scores.negative, wanted)
    assert torch.equal(scored.mean_squared_norms(), without.mean_squared_norms())
    assert scored.scores.embeddings is not None
    assert scored.scores.embeddings[1].shape == (2, 2)


@pytest.mark.parametrize("items", [torch.tensor([0, 1, 2]), torch.tensor([[0, 1, 2]])])
def test_the_hardest_negative_is_so_with_its_prior(items: Tensor) -> None:
    negatives = Negatives(items, torch.zeros(items.shape), None, Hardest(1, of_each=False))
    # z of items 0 to 2 is -0.7, -0.7, 1.4: nothing outweighs a hundred times that.
    model = built(PopularityPrior(100.0, False))
    scores = model.score(torch.tensor([0]), torch.tensor([0]), negatives).scores
    everything = model.scorer(NOTHING).score_all(torch.tensor([0]))
    torch.testing.assert_close(scores.negative, everything[:, [2]])
    assert scores.negative.item() > 100


def test_a_learned_weight_is_one_parameter_with_the_gradient_of_its_scores() -> None:
    model = built(PopularityPrior(0.5, learned=True))
    assert {n for n, _ in model.named_parameters()} == {
        *("user_tower.weight", "item_tower.weight", "prior.weight")
    }
    assert model.prior is not None
    torch.autograd.backward(model(torch.tensor([0, 1]), torch.tensor([2, 2])).sum())
    assert model.prior.weight.grad is not None
    assert model.prior.weight.grad.item() == pytest.approx(2 * model.prior.values[2].item())


def test_a_learned_weight_is_trained_by_autograd() -> None:
    fixed, learned = (built(PopularityPrior(0.5, each)) for each in (False, True))
    assert why_not_fused(fixed, torch.device("cpu"), 1) is None
    assert "tower.prior.learned" in str(why_not_fused(learned, torch.device("cpu"), 1))


def test_a_stored_model_needs_no_train_part() -> None:
    model = built(PopularityPrior(2.0, True))
    with torch.no_grad():
        model.prior.weight.fill_(0.7)  # type: ignore[union-attr]
    tower: Any = partial(EmbeddingTower, 2, 1.0, "dot", False)
    loaded = TwoTower.build(
        partial(tower, prior=PopularityPrior(2.0, True)),
        users=Side("user", 2, 2, None),
        items=Side("item", 3, 3, None),
        seed=1,
    )
    assert loaded.scorer(NOTHING).items.isnan().any()  # what is not loaded is not used unnoticed
    loaded.load_state_dict(model.state_dict())
    assert torch.equal(loaded.scorer(NOTHING).items, model.scorer(NOTHING).items)


# Positives of one user: items 0 to 3 once, twice, four and nine times.
COUNTS = torch.tensor([1, 2, 4, 9])


def totals(prior: Prior, *, corrected: bool) -> Tensor:
    """Train on negatives drawn by popularity and return the total scores of items, centred: [4]."""
    items = torch.arange(4).repeat_interleave(COUNTS)
    users = torch.zeros_like(items)
    train = TrainInteractions(users, items, 1, 4)
    tower: Any = partial(EmbeddingTower, 2, 0.1, "dot", True)
    model = TwoTower.build(
        partial(tower, prior=prior),
        users=Side("user", 1, 1, None),
        items=Side("item", 4, 4, None),
        seed=0,
        train=train,
    )
    # One pool in which item i comes COUNTS[i] times, as it is expected to.
    valid = items != items[:, None] if corrected else None
    pool = Negatives(items, COUNTS[items].log(), valid)
    loss = SampledSoftmax(temperature=1.0, logq_correction=corrected)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value: Tensor = loss(model.score(users, items, pool).scores)
        torch.autograd.backward(value)
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    scores = model.scorer(NOTHING).score_all(torch.tensor([0]))[0]
    return scores - scores.mean()


def test_with_logq_correction_popularity_is_counted_once_with_any_prior() -> None:
    # The optimum of the corrected softmax is log P(item): the log of its count, up to a constant.
    logs = COUNTS.log() - COUNTS.log().mean()
    for prior in (NoPrior(), PopularityPrior(1.0, False), PopularityPrior(3.0, False)):
        torch.testing.assert_close(totals(prior, corrected=True), logs, atol=1e-3, rtol=0)


def test_without_correction_towers_cancel_a_prior_that_negatives_were_drawn_by() -> None:
    without = totals(NoPrior(), corrected=False)
    assert without.abs().max() < 0.1
    with_prior = totals(PopularityPrior(3.0, False), corrected=False)
    torch.testing.assert_close(with_prior, without, atol=1e-3, rtol=0)
