"""What ranks items, and the rankings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

__all__ = ["EVERYBODY", "Recommendations", "Scorer"]

EVERYBODY = sys.maxsize  # the `n_users` of a scorer that needs to know nothing of a user


class Scorer(Protocol):
    """Anything that can score items for some users: a trained model or a baseline."""

    @property
    def n_users(self) -> int:
        """Users of row numbers below it can be served."""
        ...

    @property
    def n_items(self) -> int:
        """Items of row numbers below it are scored: all of train, or of the fold."""
        ...

    def score_all(self, users: Tensor) -> Tensor:
        """Scores [B, n_items] (float) for `users` ([B] int64 row numbers); higher is better."""
        ...


@dataclass(frozen=True)
class Recommendations:
    """The top of the ranking for each user, best first.

    users: [U] int64.
    items: [U, K] int64; -1 where a user has fewer than K candidates.
    scores: [U, K] float32; -inf where items is -1.
    """

    users: Tensor
    items: Tensor
    scores: Tensor
