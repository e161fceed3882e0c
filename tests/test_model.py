"""The two-tower model on numbers small enough to check by hand."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.types import Negatives

USERS = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
ITEMS = torch.tensor([[1.0, 1.0], [3.0, 0.0], [0.0, -1.0]])


@pytest.fixture
def model() -> TwoTower:
    model = TwoTower.build(partial(EmbeddingTower, 2, 1.0, "dot"), n_users=2, n_items=3, seed=0)
    model.load_state_dict({"user_tower.weight": USERS, "item_tower.weight": ITEMS})
    return model


def negatives(items: Tensor) -> Negatives:
    return Negatives(items, torch.zeros(items.shape), None)


def test_scores_of_pairs_and_of_all_items(model: TwoTower) -> None:
    # u0 = (1, 0), u1 = (0, 2): scores of the three items are (1, 3, 0) and (2, 0, -2).
    everything = [[1.0, 3.0, 0.0], [2.0, 0.0, -2.0]]
    assert model.scorer().score_all(torch.tensor([0, 1])).tolist() == everything
    assert model(torch.tensor([0, 1]), torch.tensor([1, 2])).tolist() == [3.0, -2.0]


def test_own_negatives_and_a_shared_pool(model: TwoTower) -> None:
    users, positives = torch.tensor([0, 1]), torch.tensor([0, 0])
    own = model.score(users, positives, negatives(torch.tensor([[1, 2], [2, 1]]))).scores
    assert own.positive.tolist() == [1.0, 2.0]
    assert own.negative.tolist() == [[3.0, 0.0], [-2.0, 0.0]]
    shared = model.score(users, positives, negatives(torch.tensor([2, 1]))).scores
    assert shared.negative.tolist() == [[0.0, 3.0], [-2.0, 0.0]]


def test_mean_squared_norms(model: TwoTower) -> None:
    scored = model.score(
        torch.tensor([0, 1]), torch.tensor([0, 1]), negatives(torch.tensor([[1, 2], [2, 0]]))
    )
    # users (1 + 4) / 2, positives (2 + 9) / 2, negatives (9 + 1 + 1 + 2) / 4: 2.5 + 5.5 + 3.25.
    assert scored.mean_squared_norms().item() == 11.25


def test_a_seed_fixes_the_start() -> None:
    build = partial(TwoTower.build, partial(EmbeddingTower, 3, 0.5, "dot"), n_users=4, n_items=5)
    one, same, other = build(seed=1), build(seed=1), build(seed=2)
    assert torch.equal(one.scorer().items, same.scorer().items)
    assert not torch.equal(one.scorer().items, other.scorer().items)


def test_embedding_gradient_equals_torchs_own() -> None:
    generator = torch.Generator().manual_seed(0)
    tower = EmbeddingTower(3, 1.0, "dot", n=4, generator=generator)
    ids = torch.tensor([[0, 2, 2], [3, 0, 2]])
    weights = torch.randn(2, 3, 3, generator=generator)
    torch.autograd.backward((tower(ids) * weights).sum())
    reference = tower.weight.detach().clone().requires_grad_()
    torch.autograd.backward((torch.nn.functional.embedding(ids, reference) * weights).sum())
    assert tower.weight.grad is not None
    assert reference.grad is not None
    torch.testing.assert_close(tower.weight.grad, reference.grad)
    assert torch.equal(tower(torch.arange(4)), tower.table())


def test_embeddings_start_with_the_asked_spread() -> None:
    tower = EmbeddingTower(64, 0.3, "dot", n=1000, generator=torch.Generator().manual_seed(0))
    # 64,000 draws: the standard error of their deviation is 0.3 / sqrt(2 * 64,000) = 0.0008.
    assert tower.weight.std().item() == pytest.approx(0.3, abs=0.004)


def test_cosine_is_one_for_training_and_for_retrieval() -> None:
    model = TwoTower.build(partial(EmbeddingTower, 2, 1.0, "cosine"), n_users=1, n_items=2, seed=0)
    with torch.no_grad():
        model.user_tower.weight.copy_(torch.tensor([[3.0, 4.0]]))  # type: ignore[operator]
        model.item_tower.weight.copy_(torch.tensor([[10.0, 0.0], [0.0, 0.5]]))  # type: ignore[operator]
    # (3, 4) / 5 against (1, 0) and (0, 1), whatever their lengths.
    expected = torch.tensor([[0.6, 0.8]])
    user = torch.tensor([0])
    assert torch.allclose(model.scorer().score_all(user), expected)
    assert torch.allclose(model(torch.tensor([0, 0]), torch.tensor([0, 1])), expected[0])
