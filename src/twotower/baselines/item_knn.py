"""ItemKNN: items similar to those that the user interacted with."""

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import NonNegativeFloat, PositiveInt
from scipy.sparse import csr_array, vstack
from torch import Tensor

from twotower.baselines.base import HistoryScorer, interaction_matrix
from twotower.core.component import component
from twotower.types import Scorer, TrainInteractions

__all__ = ["ItemKNN"]

_BLOCK_ENTRIES = 4_000_000  # similarities held dense at a time


@component
@dataclass(frozen=True)
class ItemKNN:
    """Scores an item by the sum of its similarities to the user's items.

    Similarity is the cosine of the items' user vectors with `shrink` added to its denominator
    |i| |j|, kept for the `neighbours` most similar items of each item, itself excluded (Sarwar et
    al. 2001, WWW; Ferrari Dacrema et al. 2019, RecSys, for the form of `shrink`).

    Attributes:
        neighbours: Most similar items kept per item.
        shrink: Term added to the denominator.

    Example:
        Items 0 and 1 share one user: 1 / sqrt(1 * 2). User 1 has item 1 alone.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 1]), n_users=2, n_items=3
        ... )
        >>> ItemKNN(neighbours=1, shrink=0.0).fit(train).score_all(torch.tensor([1])).float()
        tensor([[0.7071, 0.0000, 0.0000]])
    """

    neighbours: PositiveInt
    shrink: NonNegativeFloat

    def fit(self, train: TrainInteractions) -> Scorer:
        """Return the fitted scorer; see Baseline."""
        matrix = interaction_matrix(train, "float64")
        by_item = matrix.T.tocsr()
        norms = torch.from_numpy(matrix.sum(0)).sqrt()  # of 0/1 vectors
        width = min(self.neighbours, train.n_items)
        blocks = [
            self._similar(by_item[rows.numpy()], matrix, rows, norms, width)
            for rows in torch.split(
                torch.arange(train.n_items), max(1, _BLOCK_ENTRIES // train.n_items)
            )
        ]
        return _Similarities(matrix, vstack(blocks, format="csr").T.tocsr())

    def _similar(
        self, block: csr_array, matrix: csr_array, rows: Tensor, norms: Tensor, width: int
    ) -> csr_array:
        """Return [B, n_items] sparse: the similarities of the items `rows` to their neighbours."""
        common = torch.from_numpy((block @ matrix).toarray())
        # If a norm is 0, so is the overlap: any positive denominator works.
        similar = common / (norms[rows, None] * norms + self.shrink).clamp_(min=1e-12)
        similar[torch.arange(len(rows)), rows] = 0.0
        values, columns = similar.topk(width)
        offsets = np.arange(len(rows) + 1) * width
        entries = (values.flatten().numpy(), columns.flatten().numpy(), offsets)
        kept = csr_array(entries, shape=similar.shape)
        kept.eliminate_zeros()
        return kept


@dataclass(frozen=True)
class _Similarities(HistoryScorer):
    similarities: csr_array  # [n_items, n_items], column j: the neighbours of item j

    def score_all(self, users: Tensor) -> Tensor:
        return torch.from_numpy((self.matrix[users.numpy()] @ self.similarities).toarray())
