"""Scores of a batch and their gradients, for own negatives of each row and for a shared pool.

Embeddings are those of distinct rows, [R, D]; slots are places among them.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.compiled import compiled
from twotower.negative_sampling.seen import PoolNegatives
from twotower.training.fused.table import EmbeddingRows
from twotower.types import MaskedScores, Negatives

__all__ = ["BatchOfRows", "OwnNegatives", "SharedPool"]

Array = NDArray[Any]

_MASKED = np.float32(-np.inf)


class BatchOfRows(Protocol):
    """Scores batches, and leads from the gradients of scores to those of embeddings."""

    def score(
        self,
        users: EmbeddingRows,
        items: EmbeddingRows,
        negatives: Negatives,
        weights: Tensor | None,
    ) -> MaskedScores:
        """Return the scores of a batch, which are valid until the next call.

        Args:
            users: Embeddings of its users, with slots [B].
            items: Embeddings of its items, with slots [B] of positives and those of negatives.
            negatives: Its negatives.
            weights: [B] of its rows; None: all 1.
        """
        ...

    def backward(self, gradient: MaskedScores, l2: float) -> None:
        """Add the gradients of the embeddings of the batch that was scored last.

        Args:
            gradient: What a loss has made of its scores: their gradients.
            l2: Weight of the mean squared norms of the batch's embeddings.
        """
        ...


class OwnNegatives:
    """Each row's positive and its own negatives; see BatchOfRows."""

    def score(
        self,
        users: EmbeddingRows,
        items: EmbeddingRows,
        negatives: Negatives,
        weights: Tensor | None,
    ) -> MaskedScores:
        """See BatchOfRows."""
        self._users, self._items = users, items
        (user_slots,), (positive_slots, negative_slots) = users.slots, items.slots
        self._slots = user_slots, positive_slots, negative_slots
        shape = negative_slots.shape
        positive = np.empty(shape[0], np.float32)
        negative = np.empty(shape, np.float32)
        counts = np.empty(shape[0], np.int64)
        valid = np.empty((0, 0), np.bool_)
        if negatives.valid is not None:
            valid = negatives.valid.contiguous().numpy()
        _own_scores(users.vectors, items.vectors, *self._slots, valid, positive, negative, counts)
        return MaskedScores(
            torch.from_numpy(positive),
            torch.from_numpy(negative),
            torch.from_numpy(counts),
            negatives.log_expected_count,
            weights,
        )

    def backward(self, gradient: MaskedScores, l2: float) -> None:
        """See BatchOfRows."""
        users, items = self._users, self._items
        _own_backward(
            users.vectors,
            items.vectors,
            *self._slots,
            gradient.positive.numpy(),
            gradient.negative.numpy(),
            users.gradient,
            items.gradient,
        )
        rows, places = gradient.negative.shape
        _add_penalties(users, items, l2, rows, rows * places)


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
        _add_penalties(users, items, l2, rows, places)

    def _buffer(self, name: str, rows: int, columns: int) -> Tensor:
        """Return an array whose memory is used again: pages that are new to a process cost time."""
        if name not in self._buffers or self._buffers[name].numel() < rows * columns:
            self._buffers[name] = torch.empty(rows * columns)
        return self._buffers[name][: rows * columns].view(rows, columns)


def _at(embedded: EmbeddingRows, slots: Array) -> tuple[Tensor, int, Tensor]:
    return torch.from_numpy(embedded.vectors), 0, torch.from_numpy(slots)


def _add_penalties(
    users: EmbeddingRows, items: EmbeddingRows, l2: float, rows: int, negatives: int
) -> None:
    """Add the weights of the mean squared norms of users, positives and negatives."""
    if l2:
        positive_slots, negative_slots = items.slots
        _add_penalty(users.penalty, users.slots[0], l2 / rows)
        _add_penalty(items.penalty, positive_slots, l2 / rows)
        _add_penalty(items.penalty, negative_slots.ravel(), l2 / negatives)


@compiled
def _own_scores(
    users: Array,
    items: Array,
    user_slots: Array,
    positive_slots: Array,
    negative_slots: Array,
    valid: Array,
    positive: Array,
    negative: Array,
    counts: Array,
) -> None:
    rows, places = negative_slots.shape
    width = users.shape[1]
    for b in range(rows):
        u, i = user_slots[b], positive_slots[b]
        score = np.float32(0)
        for d in range(width):
            score += users[u, d] * items[i, d]
        positive[b] = score
        counts[b] = 0
        for n in range(places):
            if len(valid) and not valid[b, n]:
                negative[b, n] = _MASKED
                continue
            counts[b] += 1
            i = negative_slots[b, n]
            score = np.float32(0)
            for d in range(width):
                score += users[u, d] * items[i, d]
            negative[b, n] = score


@compiled
def _own_backward(
    users: Array,
    items: Array,
    user_slots: Array,
    positive_slots: Array,
    negative_slots: Array,
    positive: Array,
    negative: Array,
    user_gradient: Array,
    item_gradient: Array,
) -> None:
    rows, places = negative_slots.shape
    width = users.shape[1]
    for b in range(rows):
        u, i, slope = user_slots[b], positive_slots[b], positive[b]
        for d in range(width):
            user_gradient[u, d] += slope * items[i, d]
        for d in range(width):
            item_gradient[i, d] += slope * users[u, d]
        for n in range(places):
            slope = negative[b, n]
            if slope == 0:  # not valid, or a pair that keeps the margin
                continue
            i = negative_slots[b, n]
            for d in range(width):
                user_gradient[u, d] += slope * items[i, d]
            for d in range(width):
                item_gradient[i, d] += slope * users[u, d]


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


@compiled
def _add_penalty(penalty: Array, slots: Array, weight: float) -> None:
    for k in range(len(slots)):
        penalty[slots[k]] += np.float32(weight)
