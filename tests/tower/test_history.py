"""The tower of histories, by hand: what it reads, what it leaves, and who has no history."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from twotower.config import build, compose
from twotower.tower import EmbeddingTower, HistoryEncoder, HistoryTower
from twotower.tower.encoder import AttentionEncoder, MeanEncoder
from twotower.tower.history import tower_of_side
from twotower.tower.prior import split_prior
from twotower.types import Side

ITEMS = torch.tensor([[[7.0, 7.0], [6.0, 0.0], [0.0, 8.0]], [[7.0, 7.0]] * 3])
VALID = torch.tensor([[False, True, True], [False, False, False]])


def history_tower(similarity: Any = "dot", seed: int = 0) -> HistoryTower:
    generator = torch.Generator().manual_seed(seed)
    return HistoryTower(2, 0.5, similarity, 3, MeanEncoder, generator=generator)


def with_start(similarity: Any) -> HistoryTower:
    tower = history_tower(similarity)
    tower.load_state_dict({"start": torch.tensor([0.0, -2.0])})
    return tower


def test_the_mean_of_the_items_adds_to_the_start_and_a_user_without_any_is_the_start() -> None:
    # ((6 + 0) / 2, (0 + 8) / 2) + (0, -2); the row without items is the learned vector.
    assert with_start("dot").encode(ITEMS, VALID).tolist() == [[3.0, 2.0], [0.0, -2.0]]


def test_with_cosine_users_have_length_1() -> None:
    # (3, 4 - 2) becomes (3, 2) / sqrt(13), and (0, -2) becomes (0, -1).
    vectors = with_start("cosine").encode(ITEMS, VALID)
    expected = torch.tensor([[3 / 13**0.5, 2 / 13**0.5], [0.0, -1.0]])
    torch.testing.assert_close(vectors, expected)


@pytest.mark.parametrize("encoder", ["mean", "attention", "gru", "sasrec"])
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e9])
@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_values_in_invalid_places_never_matter(
    encoder: str, garbage: float, similarity: str
) -> None:
    chosen = [f"tower/encoder={encoder}", f"tower.similarity={similarity}"]
    node = compose("train", ["tower=history", "tower.emb_dim=4", *chosen])["tower"]
    side = Side("user", n=9, n_train=7, features=None)
    factory, _ = split_prior(build(node))
    tower: Any = factory(side=side, generator=torch.Generator().manual_seed(0)).eval()
    clean = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))
    valid = torch.arange(5) >= torch.tensor([2, 0, 5])[:, None]

    def encoded(filled: float) -> tuple[Tensor, Tensor, list[Tensor]]:
        items = clean.where(valid[..., None], filled).requires_grad_()
        tower.zero_grad()
        vectors = tower.encode(items, valid)
        vectors.square().cumsum(-1).sum().backward()
        assert items.grad is not None
        return vectors.detach(), items.grad, [p.grad.clone() for p in tower.parameters()]

    (one, items, weights), (other, others, same) = encoded(0.0), encoded(garbage)
    assert torch.equal(one, other)
    assert torch.equal(items, others)
    assert not items[~valid].any()
    assert all(map(torch.equal, weights, same))
    assert all(torch.isfinite(weight).all() for weight in weights)


def test_the_start_learns_of_every_user() -> None:
    tower = with_start("dot")
    tower.encode(ITEMS, VALID).sum().backward()  # type: ignore[no-untyped-call]
    assert tower.start.grad is not None
    assert tower.start.grad.tolist() == [2.0, 2.0]


def test_a_seed_fixes_the_start() -> None:
    one, same, other = history_tower(seed=1), history_tower(seed=1), history_tower(seed=2)
    assert torch.equal(one.start, same.start)
    assert not torch.equal(one.start, other.start)


def test_a_history_encoder_declares_whether_order_matters() -> None:
    tower = history_tower()
    assert isinstance(tower, HistoryEncoder)
    assert tower.history_length == 3
    assert tower.ordered is False
    ordered = partial(AttentionEncoder, True)
    assert HistoryTower(2, 0.5, "dot", 3, ordered, generator=torch.Generator()).ordered is True


def test_items_have_free_vectors_and_users_none() -> None:
    def built(side: Side) -> Any:
        generator = torch.Generator().manual_seed(0)
        return tower_of_side(2, 0.5, "cosine", 3, MeanEncoder, side=side, generator=generator)

    items = built(Side("item", n=9, n_train=7, features=None))
    assert isinstance(items, EmbeddingTower)
    # One vector for each item of train, of length 1 as the users'.
    torch.testing.assert_close(items.table().norm(dim=1), torch.ones(7))
    assert not isinstance(items, HistoryEncoder)
    users = built(Side("user", n=9, n_train=7, features=None))
    assert isinstance(users, HistoryTower)
    assert [tuple(parameter.shape) for parameter in users.parameters()] == [(2,)]
