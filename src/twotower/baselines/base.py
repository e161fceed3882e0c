"""The contract that every baseline keeps."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, Self

import numpy as np
from scipy.sparse import csr_array
from torch import Tensor

from twotower.types import Histories, ItemLists, Scorer, TrainInteractions

__all__ = ["Baseline", "HistoryScorer", "interaction_matrix"]


class Baseline(Protocol):
    """A model without a training loop, fitted on the train part of a fold and nothing else.

    A frozen dataclass whose fields are its keys in YAML. Its scorer makes [B, n_items] at a time:
    users x items never stands in memory as a whole.
    """

    def fit(self, train: TrainInteractions) -> Scorer:
        """A scorer for the users and items of `train`."""
        ...


@dataclass(frozen=True)
class HistoryScorer(ABC):
    """A scorer that knows users by what they had met, so that it can serve new ones.

    matrix: [n_users, n_items] sparse: 1 where the user had met the item.
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

    def told(self, histories: Histories) -> Self:
        """The same for the users of these `histories`, of any number."""
        matrix = _zero_one(histories.distinct(), self.n_items, self.matrix.dtype)
        return replace(self, matrix=matrix)

    @abstractmethod
    def score_all(self, users: Tensor) -> Tensor:
        """See Scorer."""


def interaction_matrix(train: TrainInteractions, dtype: Literal["float32", "float64"]) -> csr_array:
    """[n_users, n_items] sparse: 1 where the user has interacted with the item."""
    return _zero_one(train.items_by_user, train.n_items, np.dtype(dtype))


def _zero_one(lists: ItemLists, n_items: int, dtype: np.dtype[Any]) -> csr_array:
    """[n_rows, n_items] sparse: 1 where the list of the row holds the item."""
    ones = np.ones(len(lists.items), dtype=dtype)
    shape = (lists.n_rows, n_items)
    return csr_array((ones, lists.items.numpy(), lists.offsets.numpy()), shape=shape)
