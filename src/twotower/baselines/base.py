"""The contract that every baseline keeps."""

from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from scipy.sparse import csr_array

from twotower.types import Histories, ItemLists, Scorer, TrainInteractions

__all__ = ["Baseline", "HistoryScorer", "interaction_matrix", "zero_one"]


class Baseline(Protocol):
    """A model without a training loop, fitted on the train part of a fold and nothing else.

    A frozen dataclass whose fields are its keys in YAML. Its scorer makes [B, n_items] at a time:
    users x items never stands in memory as a whole.
    """

    def fit(self, train: TrainInteractions) -> Scorer:
        """A scorer for the users and items of `train`."""
        ...


@runtime_checkable
class HistoryScorer(Scorer, Protocol):
    """A scorer that knows users by what they had met, so that it can serve new ones."""

    def told(self, histories: Histories) -> Scorer:
        """The same for the users of these `histories`, of any number."""
        ...


def interaction_matrix(train: TrainInteractions, dtype: Literal["float32", "float64"]) -> csr_array:
    """[n_users, n_items] sparse: 1 where the user has interacted with the item."""
    return zero_one(train.items_by_user, train.n_items, np.dtype(dtype))


def zero_one(lists: ItemLists, n_items: int, dtype: np.dtype[Any]) -> csr_array:
    """[n_rows, n_items] sparse: 1 where the list of the row holds the item."""
    ones = np.ones(len(lists.items), dtype=dtype)
    shape = (lists.n_rows, n_items)
    return csr_array((ones, lists.items.numpy(), lists.offsets.numpy()), shape=shape)
