"""The two-tower model: a user tower, an item tower and the dot product of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from twotower.core import seeding
from twotower.core.errors import errors_under
from twotower.negative_sampling.hardest import hardest_places, kept
from twotower.tower import HistoryEncoder
from twotower.types import Histories, Negatives, Past, Scores, Side

__all__ = ["DotProductScorer", "TwoTower"]

_BLOCK = 1024  # users whose histories are encoded at a time
# Matrix products of fewer rows take other kernels, which round differently.
_ROWS = 16


class TwoTower(nn.Module):
    """score(u, i) = user_tower(u) . item_tower(i)

    Example:
        >>> import torch
        >>> from functools import partial
        >>> from twotower.tower import EmbeddingTower
        >>> from twotower.types import Side
        >>> tower = partial(
        ...     EmbeddingTower, emb_dim=4, init_std=0.01, similarity="dot", bias=False
        ... )
        >>> model = TwoTower.build(
        ...     tower, users=Side("user", 3, 3, None), items=Side("item", 5, 5, None), seed=0
        ... )
        >>> model(torch.tensor([0, 1]), torch.tensor([4, 4])).shape
        torch.Size([2])
    """

    def __init__(self, user_tower: nn.Module, item_tower: nn.Module) -> None:
        """Combine two towers of the same emb_dim.

        Args:
            user_tower: A twotower.tower.Tower or a twotower.tower.HistoryEncoder.
            item_tower: A twotower.tower.Tower.
        """
        super().__init__()
        self.user_tower = user_tower
        self.item_tower = item_tower

    @classmethod
    def build(
        cls, tower: Callable[..., nn.Module], *, users: Side, items: Side, seed: int
    ) -> TwoTower:
        """Build both towers from one factory.

        Args:
            tower: Called with `side` and `generator`, returns the tower of that side.
            users: The user side.
            items: The item side.
            seed: Seed of the initial weights.
        """
        generator = seeding.generator(seed, seeding.INITIALISATION)
        with errors_under("tower"):
            user_tower = tower(side=users, generator=generator)
            return cls(user_tower, tower(side=items, generator=generator))

    @property
    def history_length(self) -> int | None:
        """How many items of a user's history are read; None: users are known by their rows."""
        tower = self.user_tower
        return tower.history_length if isinstance(tower, HistoryEncoder) else None

    @property
    def needs_order(self) -> bool:
        """Whether the order of a user's interactions matters."""
        return isinstance(self.user_tower, HistoryEncoder) and self.user_tower.ordered

    def encode_users(self, users: Tensor, past: Past | None = None) -> Tensor:
        """Return user embeddings, [B, D].

        Args:
            users: [B] int64.
            past: Their histories; required if, and only if, the model reads histories.
        """
        tower = self.user_tower
        if not isinstance(tower, HistoryEncoder):
            vectors: Tensor = tower(users)
            return vectors
        assert past is not None
        return tower.encode(self.encode_items(past.items), past.valid)

    def encode_items(self, items: Tensor) -> Tensor:
        """Return item embeddings, [..., D], for `items` ([...] int64)."""
        vectors: Tensor = self.item_tower(items)
        return vectors

    def forward(self, users: Tensor, items: Tensor, past: Past | None = None) -> Tensor:
        """Return the scores of user-item pairs, [B].

        Args:
            users: [B] int64.
            items: [B] int64.
            past: Histories of `users`, if the model reads them.
        """
        return (self.encode_users(users, past) * self.encode_items(items)).sum(-1)

    def score(
        self,
        users: Tensor,
        positives: Tensor,
        negatives: Negatives,
        past: Past | None = None,
        weights: Tensor | None = None,
    ) -> BatchScores:
        """Score users against their positives and negatives.

        Args:
            users: [B] int64.
            positives: [B] int64.
            negatives: [B, N] own negatives per row, or a pool [N].
            past: Histories of `users`, if the model reads them.
            weights: [B] of the rows, for the loss; None: all 1.
        """
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
                weights=weights,
            ),
            embeddings=(user, positive, negative),
        )

    def _encode_negatives(self, user: Tensor, drawn: Negatives) -> tuple[Negatives, Tensor]:
        """Return the negatives of `user` [B, D] and their embeddings.

        The hardest candidates are selected without gradient. Items of a pool are encoded once,
        however many rows keep them.

        Returns:
            The negatives, and [B, N, D], or [N, D] for a shared pool.
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
        # index_select: its backward takes a fraction of the time of candidates[places].
        return negatives, candidates.index_select(0, places.flatten()).view(*places.shape, -1)

    def scorer(self, histories: Histories) -> DotProductScorer:
        """Return a scorer of the current model; each row is encoded once.

        Args:
            histories: [n_users] histories of the users to serve, if the model reads histories.
        """
        items = self.item_table()
        return DotProductScorer(self.user_table(items, histories), items)

    @torch.inference_mode()
    def item_table(self) -> Tensor:
        """Return the embeddings of all items that can be ranked, [n_items, D]."""
        with _evaluating(self):
            table: Tensor = self.item_tower.table()  # type: ignore[operator]
            return table.detach()

    @torch.inference_mode()
    def user_table(self, items: Tensor, histories: Histories) -> Tensor:
        """Return user embeddings, [n_users, D]; a user's does not depend on the other users.

        Args:
            items: [n_items, D] of `item_table`.
            histories: [n_users] histories of the users, if the model reads histories.
        """
        tower = self.user_tower
        with _evaluating(self):
            if not isinstance(tower, HistoryEncoder):
                table: Tensor = tower.table()  # type: ignore[operator]
                return table.detach()
            histories = histories.to(items.device)
            users = torch.arange(len(histories.offsets) - 1, device=items.device)
            encoded = [
                tower.encode(items[past.items], past.valid)[: len(rows)]
                for rows in torch.split(users, _BLOCK)
                if len(rows)
                for past in [histories.latest(_padded(rows), tower.history_length)]
            ]
            return torch.cat([items[:0], *encoded]).detach()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode for a while."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _padded(rows: Tensor) -> Tensor:
    """Return [m] with the last of `rows` [n] repeated until m is a multiple of _ROWS."""
    missing = -len(rows) % _ROWS
    return torch.cat([rows, rows[-1:].expand(missing)]) if missing else rows


def _dot(user: Tensor, negative: Tensor) -> Tensor:
    """Return [B, N] for `user` [B, D] and `negative` [B, N, D], or [N, D] for a shared pool."""
    if negative.dim() == 2:
        return user @ negative.T
    # Not bmm: its backward is several times slower for these small matrices.
    return (negative * user[:, None, :]).sum(-1)


@dataclass(frozen=True)
class BatchScores:
    """Scores of a batch, and the embeddings they are computed from, for penalties."""

    scores: Scores
    embeddings: tuple[Tensor, Tensor, Tensor]

    def mean_squared_norms(self) -> Tensor:
        """Return E|user|^2 + E|positive|^2 + E|negative|^2, a scalar."""
        total = torch.zeros((), device=self.embeddings[0].device)
        for vectors in self.embeddings:
            total = total + vectors.square().sum() / (vectors.numel() // vectors.shape[-1])
        return total


@dataclass(frozen=True)
class DotProductScorer:
    """A Scorer over fixed embeddings.

    Attributes:
        users: [n_users, D].
        items: [n_items, D].

    Example:
        >>> import torch
        >>> scorer = DotProductScorer(torch.eye(2), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> scorer.score_all(torch.tensor([1]))
        tensor([[2., 4.]])
    """

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
        """See Scorer."""
        rows = _padded(users.to(self.users.device))
        return (self.users[rows] @ self.items.T)[: len(users)]
