"""EASE, the linear item-item model with a closed form."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveFloat
from torch import Tensor

from twotower.baselines.base import HistoryScorer, interaction_matrix
from twotower.core.component import component
from twotower.core.errors import ConfigError
from twotower.core.memory import available_bytes, with_unit
from twotower.types import Scorer, TrainInteractions

__all__ = ["Ease"]

_BYTES = {"float32": 4, "float64": 8}
_MATRICES = 3  # of n_items x n_items, at the peak


@component
@dataclass(frozen=True)
class Ease:
    """Ridge regression of each item on all others.

    Steck 2019 (WWW, "Embarrassingly shallow autoencoders for sparse data", eq. 8): with the Gram
    matrix G of the interactions, P = (G + l2 I)^-1 and weights B = I - P / diag(P). It is dense:
    about three n_items x n_items matrices at the peak, and a Cholesky decomposition.

    Attributes:
        l2: Ridge penalty.
        precision: `float64`, or `float32` for half the memory.

    Example:
        G + I = [[2, 1], [1, 3]] for items 0 and 1, so P = [[3, -1], [-1, 2]] / 5, B_01 = 1 / 2 and
        B_10 = 1 / 3. User 1 has item 1 alone.

        >>> import torch
        >>> from twotower.types import TrainInteractions
        >>> train = TrainInteractions(
        ...     users=torch.tensor([0, 0, 1]), items=torch.tensor([0, 1, 1]), n_users=2, n_items=3
        ... )
        >>> scores = Ease(l2=1.0, precision="float64").fit(train).score_all(torch.tensor([1]))
        >>> torch.allclose(scores, torch.tensor([[1 / 3, 0, 0]], dtype=torch.float64))
        True
    """

    l2: PositiveFloat
    precision: Literal["float32", "float64"]

    def fit(self, train: TrainInteractions) -> Scorer:
        """Return the fitted scorer; see Baseline.

        Raises:
            ConfigError: If there is not enough free memory.
        """
        self._refuse_too_many(train.n_items)
        matrix = interaction_matrix(train, self.precision)
        gram = torch.from_numpy((matrix.T @ matrix).toarray())
        gram.diagonal().add_(self.l2)
        weights = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        weights /= -weights.diagonal().clone()  # a column for each item predicted
        weights.diagonal().zero_()
        return _Linear(matrix, weights.numpy())

    def _refuse_too_many(self, n_items: int) -> None:
        needed, free = n_items**2 * _BYTES[self.precision] * _MATRICES, available_bytes()
        if free is None or needed <= free:
            return
        halved = f"baselines.ease.precision=float32 ({with_unit(needed // 2)}), " * (
            self.precision == "float64"
        )
        raise ConfigError(
            f"baselines.ease: {n_items:,} items need about {with_unit(needed)} in "
            f"{self.precision}, and {with_unit(free)} are free; use {halved}fewer items "
            "(filters in preprocessing), or `baselines` without ease"
        )


@dataclass(frozen=True)
class _Linear(HistoryScorer):
    weights: NDArray[np.floating]  # [n_items, n_items]

    def score_all(self, users: Tensor) -> Tensor:
        return torch.from_numpy(self.matrix[users.numpy()] @ self.weights)
