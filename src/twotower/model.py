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
from twotower.tower.prior import ItemPrior, split_prior
from twotower.types import Histories, Negatives, Past, Scores, Side, TrainInteractions

__all__ = ["DotProductScorer", "TwoTower"]

_BLOCK = 1024  # users whose histories are encoded at a time
# Matrix products of fewer rows take other kernels, which round differently.
_ROWS = 16
_WIDTH = 8


class TwoTower(nn.Module):
    """score(u, i) = user_tower(u) . item_tower(i) + prior(i)

    With a prior it is one dot product still: users get a last component of 1, items their prior,
    whatever the similarity. In what follows D is emb_dim, plus 1 with a prior.

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

    def __init__(
        self, user_tower: nn.Module, item_tower: nn.Module, prior: ItemPrior | None = None
    ) -> None:
        """Combine two towers of the same emb_dim.

        Args:
            user_tower: A twotower.tower.Tower or a twotower.tower.HistoryEncoder.
            item_tower: A twotower.tower.Tower.
            prior: A score per item that is added to every user's; None for none.
        """
        super().__init__()
        self.user_tower = user_tower
        self.item_tower = item_tower
        self.prior = prior

    @classmethod
    def build(
        cls,
        tower: Callable[..., nn.Module],
        *,
        users: Side,
        items: Side,
        seed: int,
        train: TrainInteractions | None = None,
    ) -> TwoTower:
        """Build both towers from one factory, and the prior that it holds.

        Args:
            tower: Called with `side` and `generator`, returns the tower of that side. It may be a
                functools.partial with a `prior`, which is not passed on.
            users: The user side.
            items: The item side.
            seed: Seed of the initial weights.
            train: What a prior is computed from; None where weights will be loaded.
        """
        tower, prior = split_prior(tower)
        generator = seeding.generator(seed, seeding.INITIALISATION)
        with errors_under("tower"):
            user_tower = tower(side=users, generator=generator)
            item_tower = tower(side=items, generator=generator)
        return cls(user_tower, item_tower, prior.of_items(items, train) if prior else None)

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
        vectors = self._user_vectors(users, past)
        return vectors if self.prior is None else _with_last(vectors, vectors.new_ones(1))

    def encode_items(self, items: Tensor) -> Tensor:
        """Return item embeddings, [..., D], for `items` ([...] int64)."""
        vectors: Tensor = self.item_tower(items)
        return vectors if self.prior is None else _with_last(vectors, self.prior(items))

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
        # The prior is added to the scores: losses and penalties of embeddings see the towers' own.
        user = self._user_vectors(users, past)  # [B, emb_dim]
        positive = self.item_tower(positives)  # [B, emb_dim]
        negatives, negative = self._encode_negatives(user, negatives)
        return BatchScores(
            scores=Scores(
                positive=self._with_prior((user * positive).sum(-1), positives),
                negative=self._with_prior(_dot(user, negative), negatives.items),
                valid=negatives.valid,
                log_expected_count=negatives.log_expected_count,
                embeddings=(user, positive),
                weights=weights,
            ),
            embeddings=(user, positive, negative),
        )

    def _encode_negatives(self, user: Tensor, drawn: Negatives) -> tuple[Negatives, Tensor]:
        """Return the negatives of `user` [B, emb_dim] and the item tower's embeddings of them.

        The hardest candidates are selected without gradient. Items of a pool are encoded once,
        however many rows keep them.

        Returns:
            The negatives, and [B, N, emb_dim], or [N, emb_dim] for a shared pool.
        """
        if drawn.hardest is None:
            return drawn, self.item_tower(drawn.items)
        shared = drawn.items.dim() == 1
        with torch.set_grad_enabled(shared and torch.is_grad_enabled()):
            candidates = self.item_tower(drawn.items)
        with torch.no_grad():
            scores = self._with_prior(_dot(user, candidates), drawn.items)  # [B, N]
            places = hardest_places(scores, drawn.valid, drawn.hardest)  # [B, n]
        negatives = kept(drawn, places)
        if not shared:
            return negatives, self.item_tower(negatives.items)
        # index_select: its backward takes a fraction of the time of candidates[places].
        return negatives, candidates.index_select(0, places.flatten()).view(*places.shape, -1)

    def _user_vectors(self, users: Tensor, past: Past | None) -> Tensor:
        """Return the user tower's embeddings, [B, emb_dim]."""
        tower = self.user_tower
        if not isinstance(tower, HistoryEncoder):
            vectors: Tensor = tower(users)
            return vectors
        assert past is not None
        return tower.encode(self.item_tower(past.items), past.valid)

    def _with_prior(self, scores: Tensor, items: Tensor) -> Tensor:
        """Return `scores` ([B] or [B, N]) plus the prior of `items` (of that shape, or [N])."""
        return scores if self.prior is None else scores + self.prior(items)

    @torch.inference_mode()
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
            if self.prior is not None:
                table = _with_last(table, self.prior.table(len(table)))
            return table.detach()

    @torch.inference_mode()
    def user_table(self, items: Tensor, histories: Histories) -> Tensor:
        """Return user embeddings, [n_users, D]; a user's does not depend on the other users.

        Args:
            items: [n_items, D] of `item_table`.
            histories: [n_users] histories of the users, if the model reads histories.
        """
        with _evaluating(self):
            table = self._user_vector_table(self.tower_part(items), histories)
            if self.prior is not None:
                table = _with_last(table, table.new_ones(1))
            return table.detach()

    def tower_part(self, table: Tensor) -> Tensor:
        """Return [n, emb_dim]: the embeddings of a table, [n, D], without what the prior adds."""
        return table if self.prior is None else table[:, :-1]

    def _user_vector_table(self, items: Tensor, histories: Histories) -> Tensor:
        """Return the user tower's embeddings, [n_users, emb_dim].

        Args:
            items: [n_items, emb_dim] of the item tower.
            histories: See `user_table`.
        """
        tower = self.user_tower
        if not isinstance(tower, HistoryEncoder):
            table: Tensor = tower.table()  # type: ignore[operator]
            return table
        histories = histories.to(items.device)
        users = torch.arange(len(histories.offsets) - 1, device=items.device)
        encoded = [
            tower.encode(items[past.items], past.valid)[: len(rows)]
            for rows in torch.split(users, _BLOCK)
            if len(rows)
            for past in [histories.latest(_padded(rows), tower.history_length)]
        ]
        return torch.cat([items[:0], *encoded])


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


def _with_last(vectors: Tensor, last: Tensor) -> Tensor:
    """Return [..., D + 1]: `vectors` [..., D] with `last` ([...] or [1]) as their last number."""
    last = last.to(vectors.dtype).expand(vectors.shape[:-1])
    return torch.cat([vectors, last[..., None]], -1)


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
        return self.score_block(users, 0, self.n_items)

    def score_block(self, users: Tensor, first: int, last: int) -> Tensor:
        """See BlockScorer."""
        rows = _padded(users.to(self.users.device))
        user, item = self.users[rows], self.items[first:last]
        if len(item) < _ROWS:  # there, rows of some widths, such as 5, depend on where they are
            missing = -item.shape[1] % _WIDTH
            user, item = (nn.functional.pad(each, (0, missing)) for each in (user, item))
        return (user @ item.T)[: len(users)].float()
