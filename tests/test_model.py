"""The two-tower model on numbers small enough to check by hand."""

from __future__ import annotations

from functools import partial
from typing import Literal

import pytest
import torch
from torch import Tensor

from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.types import Hardest, Histories, Negatives, Side

USERS = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
ITEMS = torch.tensor([[1.0, 1.0], [3.0, 0.0], [0.0, -1.0]])


NOTHING = Histories.of(
    torch.tensor([], dtype=torch.int64), torch.tensor([], dtype=torch.int64), 0, True
)


def built(
    emb_dim: int,
    n_users: int,
    n_items: int,
    similarity: Literal["dot", "cosine"] = "dot",
    seed: int = 0,
    bias: bool = False,
) -> TwoTower:
    users, items = Side("user", n_users, n_users, None), Side("item", n_items, n_items, None)
    tower = partial(EmbeddingTower, emb_dim, 1.0, similarity, bias)
    return TwoTower.build(tower, users=users, items=items, seed=seed)


@pytest.fixture
def model() -> TwoTower:
    model = built(2, 2, 3)
    model.load_state_dict({"user_tower.weight": USERS, "item_tower.weight": ITEMS})
    return model


def negatives(items: Tensor) -> Negatives:
    return Negatives(items, torch.zeros(items.shape), None)


def test_scores_of_pairs_and_of_all_items(model: TwoTower) -> None:
    # u0 = (1, 0), u1 = (0, 2): scores of the three items are (1, 3, 0) and (2, 0, -2).
    everything = [[1.0, 3.0, 0.0], [2.0, 0.0, -2.0]]
    assert model.scorer(NOTHING).score_all(torch.tensor([0, 1])).tolist() == everything
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
    one, same, other = (built(3, 4, 5, seed=seed).scorer(NOTHING).items for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_embedding_gradient_equals_torchs_own() -> None:
    generator = torch.Generator().manual_seed(0)
    tower = EmbeddingTower(3, 1.0, "dot", False, side=Side("item", 4, 4, None), generator=generator)
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
    side, generator = Side("user", 1000, 1000, None), torch.Generator().manual_seed(0)
    tower = EmbeddingTower(64, 0.3, "dot", False, side=side, generator=generator)
    # 64,000 draws: the standard error of their deviation is 0.3 / sqrt(2 * 64,000) = 0.0008.
    assert tower.weight.std().item() == pytest.approx(0.3, abs=0.004)


def test_with_bias_the_last_number_of_an_item_counts_for_every_user() -> None:
    model = built(2, 2, 2, bias=True)
    with torch.no_grad():
        model.user_tower.weight.copy_(torch.tensor([[2.0], [-1.0]]))  # type: ignore[operator]
        model.item_tower.weight.copy_(torch.tensor([[3.0, 10.0], [0.0, 5.0]]))  # type: ignore[operator]
    # Users (2, 1), (-1, 1): 2 * 3 + 10 and 5; -1 * 3 + 10 and 5.
    everybody = torch.tensor([0, 1])
    assert model.scorer(NOTHING).score_all(everybody).tolist() == [[16.0, 5.0], [7.0, 5.0]]
    assert model(everybody, torch.tensor([0, 1])).tolist() == [16.0, 5.0]


def test_cosine_is_one_for_training_and_for_retrieval() -> None:
    model = built(2, 1, 2, "cosine")
    with torch.no_grad():
        model.user_tower.weight.copy_(torch.tensor([[3.0, 4.0]]))  # type: ignore[operator]
        model.item_tower.weight.copy_(torch.tensor([[10.0, 0.0], [0.0, 0.5]]))  # type: ignore[operator]
    # (3, 4) / 5 against (1, 0) and (0, 1), whatever their lengths.
    expected = torch.tensor([[0.6, 0.8]])
    user = torch.tensor([0])
    assert torch.allclose(model.scorer(NOTHING).score_all(user), expected)
    assert torch.allclose(model(torch.tensor([0, 0]), torch.tensor([0, 1])), expected[0])


def item_gradient(model: TwoTower) -> list[list[float]]:
    (weight,) = model.item_tower.parameters()
    assert weight.grad is not None
    rows: list[list[float]] = weight.grad.tolist()
    return rows


BOTH, FIRST = torch.tensor([0, 1]), torch.tensor([0, 0])


@pytest.mark.parametrize("of_each", [True, False])
def test_the_hardest_of_own_candidates_count(model: TwoTower, of_each: bool) -> None:
    # u0 scores items 1 and 2 as 3 and 0, u1 as 0 and -2: item 1 for both; for u1 it is not valid.
    items, message = torch.tensor([[1, 2], [2, 1]]), torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    valid = torch.tensor([[True, True], [True, False]])
    drawn = Negatives(items, message, valid, Hardest(1, of_each))
    scored = model.score(BOTH, FIRST, drawn)
    assert scored.scores.negative.tolist() == [[3.0], [-2.0]]
    assert torch.equal(scored.scores.log_expected_count, torch.tensor([[0.1], [0.3]]))
    assert scored.scores.valid is not None
    assert scored.scores.valid.tolist() == [[True], [True]]
    # users 5 / 2, positives (2 + 2) / 2, negatives (9 + 1) / 2.
    assert scored.mean_squared_norms().item() == 2.5 + 2 + 5
    torch.autograd.backward(scored.scores.negative.sum())
    # Item 1 by u0, item 2 by u1.
    assert item_gradient(model) == [[0, 0], [1, 0], [0, 2]]


def test_the_hardest_of_a_pool_count(model: TwoTower) -> None:
    # u0 scores the pool as 0, 3, 1, u1 as -2, 0, 2: its two best are items 1, 0 and 0, 1.
    pool, message = torch.tensor([2, 1, 0]), torch.tensor([0.2, 0.1, 0.0])
    valid = torch.tensor([[True, True, True], [True, True, False]])
    drawn = Negatives(pool, message, valid, Hardest(2, False))
    encoded: list[int] = []
    model.item_tower.register_forward_hook(lambda _, rows, __: encoded.append(rows[0].numel()))
    scores = model.score(BOTH, FIRST, drawn).scores
    assert encoded == [2, 3]  # positives, then each item of the pool once
    assert scores.negative.tolist() == [[3.0, 1.0], [0.0, -2.0]]  # item 0 is not valid for u1
    assert torch.equal(scores.log_expected_count, torch.tensor([[0.1, 0.0], [0.1, 0.2]]))
    torch.autograd.backward(scores.negative.sum())
    # Item 0 by u0, item 1 by both, item 2 by u1.
    assert item_gradient(model) == [[1, 0], [1, 2], [0, 2]]


@pytest.mark.parametrize("items", [torch.tensor([2, 1]), torch.tensor([[1, 2], [2, 1]])])
def test_nothing_is_learned_where_gradients_are_off(model: TwoTower, items: Tensor) -> None:
    drawn = Negatives(items, torch.zeros(items.shape), None, Hardest(1, False))
    with torch.no_grad():
        scores = model.score(BOTH, FIRST, drawn).scores
    assert scores.negative.tolist() == [[3.0], [0.0]]
    assert not scores.negative.requires_grad


def test_embeddings_go_along_with_the_scores(model: TwoTower) -> None:
    embeddings = model.score(BOTH, FIRST, negatives(torch.tensor([1]))).scores.embeddings
    assert embeddings is not None
    assert torch.equal(embeddings[0], USERS)
    assert torch.equal(embeddings[1], ITEMS[[0, 0]])
