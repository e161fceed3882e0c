"""The two-tower model: a user tower, an item tower and the dot product of what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twotower.core import seeding
from twotower.negative_sampling.hardest import hardest_places, kept
from twotower.tower import HistoryEncoder
from twotower.types import Histories, Negatives, Past, Scores, Side

__all__ = ["DotProductScorer", "TwoTower"]

_BLOCK = 1024  # users whose histories are encoded at a time


class TwoTower(nn.Module):
    """score(u, i) = user_tower(u) . item_tower(i)"""

    def __init__(self, user_tower: nn.Module, item_tower: nn.Module) -> None:
        """Both keep the contract of twotower.tower.Tower, with one emb_dim; the user tower may be a
        twotower.tower.HistoryEncoder instead."""
        super().__init__()
        self.user_tower = user_tower
        self.item_tower = item_tower

    @classmethod
    def build(
        cls, tower: Callable[..., nn.Module], *, users: Side, items: Side, seed: int
    ) -> TwoTower:
        """Both towers from one config, initialised from `seed`."""
        generator = seeding.generator(seed, seeding.INITIALISATION)
        user_tower = tower(side=users, generator=generator)
        return cls(user_tower, tower(side=items, generator=generator))

    @property
    def history_length(self) -> int | None:
        """How many items of a user's past are read; None: users are known by their rows."""
        tower = self.user_tower
        return tower.history_length if isinstance(tower, HistoryEncoder) else None

    @property
    def needs_order(self) -> bool:
        """Whether it matters in which order users met items."""
        return isinstance(self.user_tower, HistoryEncoder) and self.user_tower.ordered

    def encode_users(self, users: Tensor, past: Past | None = None) -> Tensor:
        """[B, D] for `users` ([B] int64), or for their `past` where histories are read."""
        tower = self.user_tower
        if not isinstance(tower, HistoryEncoder):
            vectors: Tensor = tower(users)
            return vectors
        assert past is not None
        return tower.encode(self.encode_items(past.items), past.valid)

    def encode_items(self, items: Tensor) -> Tensor:
        """[..., D] for `items` ([...] int64)."""
        vectors: Tensor = self.item_tower(items)
        return vectors

    def forward(self, users: Tensor, items: Tensor, past: Past | None = None) -> Tensor:
        """Scores [B] of pairs: `users` [B], with their `past`, and `items` [B]."""
        return (self.encode_users(users, past) * self.encode_items(items)).sum(-1)

    def score(
        self, users: Tensor, positives: Tensor, negatives: Negatives, past: Past | None = None
    ) -> BatchScores:
        """Scores of `users` [B] against their `positives` [B] and `negatives`."""
        user = self.encode_users(users, past)  # [B, D]
        positive = self.encode_items(positives)  # [B, D]
        negatives, negative = self._encode_negatives(user, negatives)
        return BatchScores(
            scores=Scores(
                positive=(user * positive).sum(-1),
                negative=_dot(user, negative),
                valid=negatives.valid,
                log_expected_count=negatives.log_expected_count,
                embeddings=(user, positive),
            ),
            embeddings=(user, positive, negative),
        )

    def _encode_negatives(self, user: Tensor, drawn: Negatives) -> tuple[Negatives, Tensor]:
        """The negatives of `user` [B, D] and their vectors, [B, N, D], or [N, D] for a shared pool.

        Where a row keeps the hardest of its candidates, these are found without gradient. Items of
        a pool are encoded once, however many rows keep them.
        """
        if drawn.hardest is None:
            return drawn, self.encode_items(drawn.items)
        shared = drawn.items.dim() == 1
        with torch.set_grad_enabled(shared and torch.is_grad_enabled()):
            candidates = self.encode_items(drawn.items)
        with torch.no_grad():
            scores = _dot(user, candidates)  # [B, N]
            places = hardest_places(scores, drawn.valid, drawn.hardest)  # [B, n]
        negatives = kept(drawn, places)
        if not shared:
            return negatives, self.encode_items(negatives.items)
        # index_select: its backward takes a fraction of that of candidates[places].
        return negatives, candidates.index_select(0, places.flatten()).view(*places.shape, -1)

    @torch.inference_mode()
    def scorer(self, histories: Histories) -> DotProductScorer:
        """The model as it stands, for ranking all items; each row is encoded once.

        histories: [n_users] of the users that are to be served, where histories are read.
        """
        training = self.training
        self.eval()
        items = self.item_tower.table()  # type: ignore[operator]
        users = self._user_table(items, histories)
        self.train(training)
        return DotProductScorer(users.detach(), items.detach())

    def _user_table(self, items: Tensor, histories: Histories) -> Tensor:
        """[n_users, D]; `items` [n_items, D]."""
        tower = self.user_tower
        if not isinstance(tower, HistoryEncoder):
            table: Tensor = tower.table()  # type: ignore[operator]
            return table
        histories = histories.to(items.device)
        users = torch.arange(len(histories.offsets) - 1, device=items.device)
        pasts = (
            histories.latest(rows, tower.history_length) for rows in torch.split(users, _BLOCK)
        )
        return torch.cat([tower.encode(items[past.items], past.valid) for past in pasts])


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

    @property
    def n_users(self) -> int:
        """See Scorer."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """See Scorer."""
        return len(self.items)

    def score_all(self, users: Tensor) -> Tensor:
        """[B, n_items] for `users` ([B] int64)."""
        return self.users[users.to(self.users.device)] @ self.items.T
