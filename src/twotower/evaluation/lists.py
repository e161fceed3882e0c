"""Recommendations beside what they are judged by, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.errors import DataError
from twotower.types import Fold, Recommendations

__all__ = ["JudgedLists", "Values"]

Values = NDArray[np.float64]


@dataclass(frozen=True)
class JudgedLists:
    """The lists of U users in ascending order of row numbers, which is that of their ids.

    RePlay adds up users in the order of ids: in another order means differ in the last bit.

    users: [U] int64.
    items: [U, K] int64, best first, -1 where a list is shorter.
    n_relevant: [U] int64, how many items each user's list should have had.
    hits: [U, K] bool, whether the item is relevant.
    """

    users: Tensor
    items: Tensor
    n_relevant: NDArray[np.int64]
    hits: NDArray[np.bool_]
    fold: Fold

    @classmethod
    def of(cls, recommendations: Recommendations, fold: Fold) -> JudgedLists:
        """Raises DataError where the holdout is empty or the lists are not those of its users."""
        users = fold.holdout.users
        if not len(users):
            raise DataError(
                "split: the holdout has no users, so there is nothing to measure; "
                "choose another `split` or weaker `preprocessing`"
            )
        if not torch.equal(recommendations.users, users):
            raise DataError(
                f"recommendations for {len(recommendations.users)} users do not belong to this "
                f"holdout of {len(users)} users: valid are the same users in the same order"
            )
        relevant = fold.holdout.relevant
        return cls(
            users=users,
            items=recommendations.items,
            n_relevant=relevant.lengths.numpy(),
            hits=relevant.contains(torch.arange(len(users)), recommendations.items).numpy(),
            fold=fold,
        )

    @cached_property
    def n_recommended(self) -> NDArray[np.int64]:
        """[U]: how long each list is."""
        lengths: NDArray[np.int64] = (self.items >= 0).sum(1).numpy()
        return lengths

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """[U]: whether the train part holds the user."""
        known: NDArray[np.bool_] = (self.users < self.fold.train.n_users).numpy()
        return known

    @cached_property
    def in_history(self) -> NDArray[np.bool_]:
        """[U, K]: whether the item stands in the user's train history."""
        histories = self.fold.train.items_by_user
        known = torch.from_numpy(self.known)
        found = torch.zeros(self.items.shape, dtype=torch.bool)
        found[known] = histories.contains(self.users[known], self.items[known])
        return found.numpy()
