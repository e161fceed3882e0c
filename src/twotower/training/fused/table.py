"""The embeddings of the rows of a batch, and gradients back to the weights of their tower."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.core.compiled import linked
from twotower.tower import EmbeddingTower
from twotower.training.fused.rows import BatchRows, RowFinder

__all__ = ["EmbeddingRows", "TowerTable", "embed_rows", "weight_gradients"]

Array = NDArray[Any]

_SMALLEST_NORM = np.float32(1e-12)  # of torch.nn.functional.normalize


class TowerTable:
    """An EmbeddingTower's weights, as an array that shares their memory.

    Attributes:
        weight: [n, width of the weights].
        width: Of embeddings.
        cosine: Whether they are normalised.
        finder: Finds the distinct rows of batches.
    """

    def __init__(self, tower: EmbeddingTower) -> None:
        self.weight: Array = tower.weight.detach().numpy()
        self.cosine = tower.cosine
        self.width = self.weight.shape[1] + tower.ends_in_one
        self.finder = RowFinder(len(self.weight))
        self._buffers = [np.empty((0, self.width), np.float32) for _ in range(2)]

    def embed(self, *entries: Array) -> EmbeddingRows:
        """Return the distinct rows of `entries`, with room for their embeddings.

        They are valid until the next call, and set by `EmbeddingRows.read`.
        """
        found = self.finder(*entries)
        count = len(found.rows)
        if count > len(self._buffers[0]):
            self._buffers = [np.empty((2 * count, self.width), np.float32) for _ in range(2)]
        vectors, gradient = (buffer[:count] for buffer in self._buffers)
        norms = np.empty(count if self.cosine else 0, np.float32)
        return EmbeddingRows(found, vectors, gradient, norms)


class EmbeddingRows:
    """The embeddings of R distinct rows and the gradient with respect to them.

    Attributes:
        rows: [R] int64.
        slots: The entries of the batch, as places in `rows`.
        vectors: [R, D] float32.
        gradient: [R, D] float32, 0 at first.
        penalty: [R] float32, 0 at first: the weight of each row's squared norm in the L2 penalty.
    """

    def __init__(self, found: BatchRows, vectors: Array, gradient: Array, norms: Array) -> None:
        self.rows = found.rows
        self.slots = found.slots
        self.vectors = vectors
        self.gradient = gradient
        self.penalty = np.empty(len(found.rows), np.float32)
        self._norms = norms

    def read(self, weight: Array) -> None:
        """Embed the rows of a table; set gradients and penalties to 0."""
        embed_rows(weight, self.rows, self.vectors, self._norms, self.gradient, self.penalty)

    def weight_gradient(self) -> Array:
        """Return the gradient with respect to the weights, [R, at least their width]."""
        weight_gradients(self.vectors, self._norms, self.penalty, self.gradient)
        return self.gradient


@linked(
    "void(float32[:,::1], int64[::1], float32[:,::1], float32[::1], float32[:,::1], float32[::1])"
)
def embed_rows(
    weight: Array, rows: Array, vectors: Array, norms: Array, gradient: Array, penalty: Array
) -> None:
    """Embed rows of a table; `norms` has no entry where embeddings are not normalised."""
    width = weight.shape[1]
    for r in range(len(rows)):
        row = rows[r]
        for d in range(width):
            vectors[r, d] = weight[row, d]
        if vectors.shape[1] > width:
            vectors[r, width] = 1
        if len(norms):
            square = np.float32(0)
            for d in range(width):
                square += weight[row, d] * weight[row, d]
            norms[r] = np.sqrt(square)
            inverse = np.float32(1) / max(norms[r], _SMALLEST_NORM)
            for d in range(width):
                vectors[r, d] *= inverse
        for d in range(vectors.shape[1]):
            gradient[r, d] = 0
        penalty[r] = 0


@linked("void(float32[:,::1], float32[::1], float32[::1], float32[:,::1])")
def weight_gradients(vectors: Array, norms: Array, penalty: Array, gradient: Array) -> None:
    """Turn gradients of embeddings into those of weights."""
    width = vectors.shape[1]
    if len(norms) == 0:
        for r in range(len(penalty)):
            factor = np.float32(2) * penalty[r]
            for d in range(width):
                gradient[r, d] += factor * vectors[r, d]
        return
    # Through x / max(|x|, smallest). The penalty of a vector of length 1 has no gradient.
    for r in range(len(norms)):
        inverse = np.float32(1) / max(norms[r], _SMALLEST_NORM)
        along = np.float32(0)
        if norms[r] >= _SMALLEST_NORM:
            for d in range(width):
                along += vectors[r, d] * gradient[r, d]
        for d in range(width):
            gradient[r, d] = inverse * (gradient[r, d] - along * vectors[r, d])
