"""The contract of a baseline."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, Self

import numpy as np
from scipy.sparse import csr_array
from torch import Tensor

from twotower.types import Histories, ItemLists, Scorer, TrainInteractions

__all__ = ["Baseline", "HistoryScorer", "interaction_matrix"]


class Baseline(Protocol):
    """A model without a training loop, fitted on the train part of a fold alone.

    To add a baseline, write a frozen dataclass whose fields are its YAML keys, and name it in a
    YAML file of `conf/baselines`. It must be deterministic: the same fields and data give the same
    scores, because results are cached.

    Example:
        >>> import torch
        >>> from dataclasses import dataclass
        >>> from twotower.types import EVERYBODY
        >>> @dataclass(frozen=True)
        ... class Constant:
        ...     def fit(self, train: TrainInteractions) -> Scorer:
        ...         return ConstantScorer(train.n_items)
        >>> @dataclass(frozen=True)
        ... class ConstantScorer:
        ...     n_items: int
        ...     n_users = EVERYBODY
        ...     def score_all(self, users: Tensor) -> Tensor:
        ...         return torch.zeros(len(users), self.n_items)
        >>> baseline: Baseline = Constant()
    """

    @abstractmethod
    def fit(self, train: TrainInteractions) -> Scorer:
        """Return a scorer of all items of `train`.

        Args:
            train: Users and items as row numbers, `n_users` and `n_items`, and the counts and
                histories derived from them.

        Returns:
            A Scorer, on the CPU. Its `score_all` computes [B, n_items] at a time; it must not hold
            users x items in memory as a whole.
        """
        ...


@dataclass(frozen=True)
class HistoryScorer(ABC):
    """A scorer that represents users by their histories, so that it can serve new ones.

    Attributes:
        matrix: [n_users, n_items] sparse, 1 where the user interacted with the item.
    """

    matrix: csr_array

    @property
    def n_users(self) -> int:
        """See Scorer."""
        return int(self.matrix.shape[0])

    @property
    def n_items(self) -> int:
        """See Scorer."""
        return int(self.matrix.shape[1])

    def with_histories(self, histories: Histories) -> Self:
        """Return the scorer for the users of `histories`, [n_users] of them."""
        matrix = _zero_one(histories.distinct(), self.n_items, self.matrix.dtype)
        return replace(self, matrix=matrix)

    @abstractmethod
    def score_all(self, users: Tensor) -> Tensor:
        """See Scorer."""


def interaction_matrix(train: TrainInteractions, dtype: Literal["float32", "float64"]) -> csr_array:
    """Return [n_users, n_items] sparse, 1 where the user interacted with the item."""
    return _zero_one(train.items_by_user, train.n_items, np.dtype(dtype))


def _zero_one(lists: ItemLists, n_items: int, dtype: np.dtype[Any]) -> csr_array:
    """Return [n_rows, n_items] sparse, 1 where the row's list has the item."""
    ones = np.ones(len(lists.items), dtype=dtype)
    shape = (lists.n_rows, n_items)
    return csr_array((ones, lists.items.numpy(), lists.offsets.numpy()), shape=shape)
