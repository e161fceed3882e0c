"""Scores of each row's positive and its own negatives, and their gradients, in compiled passes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from twotower.core.compiled import linked
from twotower.training.fused.scores import Array, add_penalties
from twotower.training.fused.table import EmbeddingRows
from twotower.types import MaskedScores, Negatives

__all__ = ["OwnNegatives", "own_backward", "own_scores", "valid_of"]

_MASKED = np.float32(-np.inf)
_SLOTS = "int32[::1], int32[::1], int32[:,::1]"


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
        valid = valid_of(negatives)
        own_scores(users.vectors, items.vectors, *self._slots, valid, positive, negative, counts)
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
        own_backward(
            users.vectors,
            items.vectors,
            *self._slots,
            gradient.positive.numpy(),
            gradient.negative.numpy(),
            users.gradient,
            items.gradient,
        )
        add_penalties(users, items, l2)


def valid_of(negatives: Negatives) -> Array:
    """Return which negatives are valid, [B, N] bool; [0, 0] if all are."""
    if negatives.valid is None:
        return np.empty((0, 0), np.bool_)
    return negatives.valid.contiguous().numpy()


@linked(
    f"void(float32[:,::1], float32[:,::1], {_SLOTS}, boolean[:,::1], "
    "float32[::1], float32[:,::1], int64[::1])"
)
def own_scores(
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
    """Score a batch, and count the valid negatives of each row."""
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


@linked(
    f"void(float32[:,::1], float32[:,::1], {_SLOTS}, float32[::1], float32[:,::1], "
    "float32[:,::1], float32[:,::1])"
)
def own_backward(
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
    """Add the gradients of embeddings, given those of scores."""
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
