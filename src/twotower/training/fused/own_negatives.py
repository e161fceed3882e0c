"""Scores of each row's positive and its own negatives, and their gradients, in compiled passes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from twotower.core.compiled import compiled
from twotower.training.fused.scores import Array, add_penalties
from twotower.training.fused.table import EmbeddingRows
from twotower.types import MaskedScores, Negatives

__all__ = ["OwnNegatives"]

_MASKED = np.float32(-np.inf)


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
        add_penalties(users, items, l2, rows, rows * places)


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
