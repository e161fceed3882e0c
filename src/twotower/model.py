"""The two-tower model: a user tower, an item tower and the dot product of what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twotower import seeding
from twotower.types import Negatives, Scores

__all__ = ["DotProductScorer", "TwoTower"]


class TwoTower(nn.Module):
    """score(u, i) = user_tower(u) . item_tower(i)"""

    def __init__(self, user_tower: nn.Module, item_tower: nn.Module) -> None:
        """Both towers keep the contract of twotower.tower.Tower, with one emb_dim."""
        super().__init__()
        self.user_tower = user_tower
        self.item_tower = item_tower

    @classmethod
    def build(
        cls, tower: Callable[..., nn.Module], *, n_users: int, n_items: int, seed: int
    ) -> TwoTower:
        """Both towers from one config, initialised from `seed`."""
        generator = seeding.generator(seed, seeding.INITIALISATION)
        users = tower(n=n_users, generator=generator)
        return cls(users, tower(n=n_items, generator=generator))

    def encode_users(self, users: Tensor) -> Tensor:
        """[..., D] for `users` ([...] int64)."""
        vectors: Tensor = self.user_tower(users)
        return vectors

    def encode_items(self, items: Tensor) -> Tensor:
        """[..., D] for `items` ([...] int64)."""
        vectors: Tensor = self.item_tower(items)
        return vectors

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores [B] of pairs: `users` [B] and `items` [B]."""
        return (self.encode_users(users) * self.encode_items(items)).sum(-1)

    def score(self, users: Tensor, positives: Tensor, negatives: Negatives) -> BatchScores:
        """Scores of `users` [B] against their `positives` [B] and `negatives`."""
        user = self.encode_users(users)  # [B, D]
        positive = self.encode_items(positives)  # [B, D]
        negative = self.encode_items(negatives.items)  # [B, N, D], or [N, D] for a shared pool
        return BatchScores(
            scores=Scores(
                positive=(user * positive).sum(-1),
                negative=_dot(user, negative),
                valid=negatives.valid,
                log_expected_count=negatives.log_expected_count,
            ),
            embeddings=(user, positive, negative),
        )

    @torch.inference_mode()
    def scorer(self) -> DotProductScorer:
        """The model as it stands, for ranking all items; each item is encoded once."""
        return DotProductScorer(
            users=self.user_tower.table().detach(),  # type: ignore[operator]
            items=self.item_tower.table().detach(),  # type: ignore[operator]
        )


def _dot(user: Tensor, negative: Tensor) -> Tensor:
    """[B, N] for `user` [B, D] and `negative` [B, N, D], or [N, D] for a pool that all share."""
    if negative.dim() == 2:
        return user @ negative.T
    # Not bmm: its backward takes several times as long for these small matrices.
    return (negative * user[:, None, :]).sum(-1)


@dataclass(frozen=True)
class BatchScores:
    """Scores of a batch, and the embeddings they come from, for penalties on these."""

    scores: Scores
    embeddings: tuple[Tensor, Tensor, Tensor]

    def mean_squared_norms(self) -> Tensor:
        """E|user|^2 + E|positive|^2 + E|negative|^2, a scalar."""
        total = torch.zeros((), device=self.embeddings[0].device)
        for vectors in self.embeddings:
            total = total + vectors.square().sum() / (vectors.numel() // vectors.shape[-1])
        return total


@dataclass(frozen=True)
class DotProductScorer:
    """A Scorer over fixed embeddings: users [n_users, D], items [n_items, D]."""

    users: Tensor
    items: Tensor

    @torch.inference_mode()
    def score_all(self, users: Tensor) -> Tensor:
        """[B, n_items] for `users` ([B] int64)."""
        return self.users[users.to(self.users.device)] @ self.items.T
