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
from twotower.training.fused.table import EmbeddingRows
from twotower.types import MaskedScores, Negatives

__all__ = ["BatchOfRows", "OwnNegatives", "SharedPool"]

Array = NDArray[Any]

_MASKED = np.float32(-np.inf)


class BatchOfRows(Protocol):
    """The scores of a batch, with what leads from their gradients to those of embeddings."""

    def score(self, negatives: Negatives, weights: Tensor | None) -> MaskedScores:
        """Return the scores of the batch."""
        ...

    def backward(self, gradient: MaskedScores, l2: float) -> None:
        """Add the gradients of the embeddings.

        Args:
            gradient: What a loss has made of the scores: their gradients.
            l2: Weight of the mean squared norms of the batch's embeddings.
        """
        ...


class OwnNegatives:
    """Each row's positive and its own negatives; see BatchOfRows."""

    def __init__(self, users: EmbeddingRows, items: EmbeddingRows) -> None:
        """Take the embeddings of the users, with slots [B], and items, with slots [B], [B, N]."""
        self._users, self._items = users, items
        (user_slots,), (positive_slots, negative_slots) = users.slots, items.slots
        self._slots = user_slots, positive_slots, negative_slots

    def score(self, negatives: Negatives, weights: Tensor | None) -> MaskedScores:
        """See BatchOfRows."""
        shape = negatives.items.shape
        positive = np.empty(shape[0], np.float32)
        negative = np.empty(shape, np.float32)
        counts = np.empty(shape[0], np.int64)
        valid = np.empty((0, 0), np.bool_)
        if negatives.valid is not None:
            valid = negatives.valid.contiguous().numpy()
        users, items = self._users.vectors, self._items.vectors
        _own_scores(users, items, *self._slots, valid, positive, negative, counts)
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
        if l2:
            rows, places = gradient.negative.shape
            _add_penalty(users.penalty, self._slots[0], l2 / rows)
            _add_penalty(items.penalty, self._slots[1], l2 / rows)
            _add_penalty(items.penalty, self._slots[2].ravel(), l2 / (rows * places))


class SharedPool:
    """Each row's positive and a pool that all rows share; see BatchOfRows."""

    def __init__(self, users: EmbeddingRows, items: EmbeddingRows) -> None:
        """Take the embeddings of the users, with slots [B], and items, with slots [B] and [N]."""
        self._users, self._items = users, items
        (user_slots,), (positive_slots, negative_slots) = users.slots, items.slots
        self._slots = user_slots, positive_slots, negative_slots
        self._user = _at(users.vectors, self._slots[0])  # [B, D]
        self._pool = _at(items.vectors, self._slots[2])  # [N, D]

    def score(self, negatives: Negatives, weights: Tensor | None) -> MaskedScores:
        """See BatchOfRows."""
        rows, places = len(self._slots[0]), len(self._slots[2])
        positive = np.empty(rows, np.float32)
        _positive_scores(self._user.numpy(), self._items.vectors, self._slots[1], positive)
        negative = self._user @ self._pool.T  # [B, N]
        counts = torch.full((rows,), places)
        if negatives.valid is not None:
            negative.masked_fill_(~negatives.valid, -torch.inf)
            counts = negatives.valid.sum(1)
        return MaskedScores(
            torch.from_numpy(positive), negative, counts, negatives.log_expected_count, weights
        )

    def backward(self, gradient: MaskedScores, l2: float) -> None:
        """See BatchOfRows."""
        users, items = self._users, self._items
        _pool_backward(
            self._user.numpy(),
            items.vectors,
            *self._slots,
            gradient.positive.numpy(),
            (gradient.negative @ self._pool).numpy(),
            (gradient.negative.T @ self._user).numpy(),
            users.gradient,
            items.gradient,
        )
        if l2:
            rows, places = gradient.negative.shape
            _add_penalty(users.penalty, self._slots[0], l2 / rows)
            _add_penalty(items.penalty, self._slots[1], l2 / rows)
            _add_penalty(items.penalty, self._slots[2], l2 / places)


def _at(vectors: Array, slots: Array) -> Tensor:
    return torch.from_numpy(vectors).index_select(0, torch.from_numpy(slots))


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
