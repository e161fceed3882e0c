"""What scores a batch of embeddings and takes its gradients: the contract, and the penalties.

Embeddings are those of distinct rows, [R, D]; slots are places among them.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.compiled import linked
from twotower.training.fused.table import EmbeddingRows
from twotower.types import MaskedScores, Negatives

__all__ = ["Array", "BatchOfRows", "add_penalties", "add_penalty"]

Array = NDArray[Any]


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


def add_penalties(users: EmbeddingRows, items: EmbeddingRows, l2: float) -> None:
    """Add the weights of the mean squared norms of users, positives and negatives."""
    if l2:
        (user_slots,), (positive_slots, negative_slots) = users.slots, items.slots
        add_penalty(users.penalty, user_slots, l2 / len(user_slots))
        add_penalty(items.penalty, positive_slots, l2 / len(user_slots))
        add_penalty(items.penalty, negative_slots.ravel(), l2 / negative_slots.size)


@linked("void(float32[::1], int32[::1], float64)")
def add_penalty(penalty: Array, slots: Array, weight: float) -> None:
    """Add a weight to the rows at `slots`, as often as they occur."""
    for k in range(len(slots)):
        penalty[slots[k]] += np.float32(weight)
