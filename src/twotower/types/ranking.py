"""What ranks items, and the rankings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

__all__ = ["EVERYBODY", "BlockScorer", "OneRanking", "Recommendations", "Scorer"]

EVERYBODY = sys.maxsize  # the `n_users` of a scorer that needs to know nothing of a user


class Scorer(Protocol):
    """Anything that scores all items for some users: a trained model or a baseline.

    `twotower.evaluation.top_k` turns its scores into rankings.
    """

    @property
    def n_users(self) -> int:
        """Users with row numbers below it can be served; EVERYBODY if users do not matter."""
        ...

    @property
    def n_items(self) -> int:
        """Number of scored items: those of train or, with cold ones, of the whole fold."""
        ...

    def score_all(self, users: Tensor) -> Tensor:
        """Return the scores of all items for some users.

        The scores of a user must not depend on the other users of the call.

        Args:
            users: [B] int64 row numbers, all below `n_users`.

        Returns:
            [B, n_items] float; higher is better, -inf excludes an item. NaN and +inf are errors.
        """
        ...


@runtime_checkable
class BlockScorer(Scorer, Protocol):
    """A scorer that can score a block of the items, so that their scores stay in the cache."""

    def score_block(self, users: Tensor, first: int, last: int) -> Tensor:
        """Return the columns `first` to `last` (exclusive) of `score_all`, bit for bit.

        Returns:
            [B, last - first] float32 in new memory, which the caller may overwrite.
        """
        ...


@dataclass(frozen=True)
class OneRanking:
    """A scorer with one score per item, the same for every user."""

    scores: Tensor  # [n_items]
    n_users = EVERYBODY

    @property
    def n_items(self) -> int:
        """See Scorer."""
        return len(self.scores)

    def score_all(self, users: Tensor) -> Tensor:
        """See Scorer."""
        return self.scores.expand(len(users), -1)

    def score_block(self, users: Tensor, first: int, last: int) -> Tensor:
        """See BlockScorer."""
        return self.scores[first:last].repeat(len(users), 1).float()


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
