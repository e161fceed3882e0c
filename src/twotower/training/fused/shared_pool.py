"""Scores of each row's positive and a pool that all rows share, by three matrix products."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from twotower.core.compiled import compiled
from twotower.negative_sampling.seen import PoolNegatives
from twotower.training.fused.scores import Array, add_penalties
from twotower.training.fused.table import EmbeddingRows
from twotower.types import MaskedScores, Negatives

__all__ = ["SharedPool"]


class SharedPool:
    """Each row's positive and a pool that all rows share; see BatchOfRows."""

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def score(
        self,
        users: EmbeddingRows,
        items: EmbeddingRows,
        negatives: Negatives,
        weights: Tensor | None,
    ) -> MaskedScores:
        """See BatchOfRows."""
        self._users, self._items = users, items
        (user_slots,), (positive_slots, pool_slots) = users.slots, items.slots
        self._slots = user_slots, positive_slots, pool_slots
        rows, places, width = len(user_slots), len(pool_slots), users.vectors.shape[1]
        self._user = self._buffer("user", rows, width)
        self._pool = self._buffer("pool", places, width)
        torch.index_select(*_at(users, user_slots), out=self._user)
        torch.index_select(*_at(items, pool_slots), out=self._pool)
        positive = torch.empty(rows)
        _positive_scores(self._user.numpy(), items.vectors, positive_slots, positive.numpy())
        negative = self._buffer("negative", rows, places)
        torch.mm(self._user, self._pool.T, out=negative)
        counts = torch.full((rows,), places)
        if isinstance(negatives, PoolNegatives):
            negatives.mask.mask_(negative, counts, 0)
        elif negatives.valid is not None:
            negative.masked_fill_(~negatives.valid, -torch.inf)
            counts = negatives.valid.sum(1)
        return MaskedScores(positive, negative, counts, negatives.log_expected_count, weights)

    def backward(self, gradient: MaskedScores, l2: float) -> None:
        """See BatchOfRows."""
        users, items, slope = self._users, self._items, gradient.negative
        rows, places, width = *slope.shape, users.vectors.shape[1]
        by_user = self._buffer("by_user", rows, width)
        by_pool = self._buffer("by_pool", places, width)
        torch.mm(slope, self._pool, out=by_user)
        torch.mm(slope.T, self._user, out=by_pool)
        _pool_backward(
            self._user.numpy(),
            items.vectors,
            *self._slots,
            gradient.positive.numpy(),
            by_user.numpy(),
            by_pool.numpy(),
            users.gradient,
            items.gradient,
        )
        add_penalties(users, items, l2)

    def _buffer(self, name: str, rows: int, columns: int) -> Tensor:
        """Return an array whose memory is used again: pages that are new to a process cost time."""
        if name not in self._buffers or self._buffers[name].numel() < rows * columns:
            self._buffers[name] = torch.empty(rows * columns)
        return self._buffers[name][: rows * columns].view(rows, columns)


def _at(embedded: EmbeddingRows, slots: Array) -> tuple[Tensor, int, Tensor]:
    return torch.from_numpy(embedded.vectors), 0, torch.from_numpy(slots)


@compiled
def _positive_scores(user: Array, items: Array, positive_slots: Array, positive: Array) -> None:
    for b in range(len(positive)):
        i = positive_slots[b]
        score = np.float32(0)
        for d in range(user.shape[1]):
            score += user[b, d] * items[i, d]
        positive[b] = score


@compiled
def _pool_backward(
    user: Array,
    items: Array,
    user_slots: Array,
    positive_slots: Array,
    pool_slots: Array,
    positive: Array,
    by_user: Array,
    by_pool: Array,
    user_gradient: Array,
    item_gradient: Array,
) -> None:
    width = user.shape[1]
    for b in range(len(positive)):
        u, i, slope = user_slots[b], positive_slots[b], positive[b]
        for d in range(width):
            user_gradient[u, d] += by_user[b, d] + slope * items[i, d]
        for d in range(width):
            item_gradient[i, d] += slope * user[b, d]
    for n in range(len(pool_slots)):
        i = pool_slots[n]
        for d in range(width):
            item_gradient[i, d] += by_pool[n, d]
