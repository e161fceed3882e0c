"""The contract that every baseline keeps."""

from typing import Literal, Protocol

import numpy as np
from scipy.sparse import csr_array

from twotower.types import Scorer, TrainInteractions

__all__ = ["Baseline", "interaction_matrix"]


class Baseline(Protocol):
    """A model without a training loop, fitted on the train part of a fold and nothing else.

    A frozen dataclass whose fields are its keys in YAML. Its scorer makes [B, n_items] at a time:
    users x items never stands in memory as a whole.
    """

    def fit(self, train: TrainInteractions) -> Scorer:
        """A scorer for the users and items of `train`."""
        ...


def interaction_matrix(train: TrainInteractions, dtype: Literal["float32", "float64"]) -> csr_array:
    """[n_users, n_items] sparse: 1 where the user has interacted with the item."""
    seen = train.items_by_user
    ones = np.ones(len(seen.items), dtype=dtype)
    shape = (train.n_users, train.n_items)
    return csr_array((ones, seen.items.numpy(), seen.offsets.numpy()), shape=shape)
