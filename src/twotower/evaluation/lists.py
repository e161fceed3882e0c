"""Recommendations and their hits, as arrays."""

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

    RePlay sums over users in the order of ids: in another order means differ in the last bit.

    Attributes:
        users: [U] int64.
        items: [U, K] int64, best first, -1 where a list is shorter.
        n_relevant: [U] int64, number of relevant items per user.
        hits: [U, K] bool, whether the item is relevant.
        fold: The fold whose holdout the lists are for.
    """

    users: Tensor
    items: Tensor
    n_relevant: NDArray[np.int64]
    hits: NDArray[np.bool_]
    fold: Fold

    @classmethod
    def of(cls, recommendations: Recommendations, fold: Fold) -> JudgedLists:
        """Match the lists with the holdout; raise DataError if it is empty or has other users."""
        users = fold.holdout.users
        if not len(users):
            raise DataError(
                "split: the holdout has no users, so no metric can be measured; "
                "choose another `split` or weaker `preprocessing`"
            )
        if not torch.equal(recommendations.users, users):
            raise DataError(
                f"recommendations for {len(recommendations.users)} users do not belong to this "
                f"holdout of {len(users)} users: expected the same users in the same order"
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
        """Length of each list, [U]."""
        lengths: NDArray[np.int64] = (self.items >= 0).sum(1).numpy()
        return lengths

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether train has the user, [U]."""
        known: NDArray[np.bool_] = (self.users < self.fold.train.n_users).numpy()
        return known

    @cached_property
    def in_history(self) -> NDArray[np.bool_]:
        """Whether the item is in the user's train history, [U, K]."""
        histories = self.fold.train.items_by_user
        known = torch.from_numpy(self.known)
        found = torch.zeros(self.items.shape, dtype=torch.bool)
        found[known] = histories.contains(self.users[known], self.items[known])
        return found.numpy()
