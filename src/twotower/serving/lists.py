"""From scorers to lists with original ids."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from twotower.evaluation import recommendations_frame, top_k
from twotower.types import BlockScorer, Histories, Recommendations, Side, Vocabulary

__all__ = ["Restricted", "best", "lists_frame"]

_BLOCK_SCORES = 4_000_000  # scores in memory at a time, some 30 bytes each; no list depends on it


@dataclass(frozen=True)
class Restricted:
    """A scorer that only some items can be recommended by.

    Attributes:
        scorer: Scores all items.
        allowed: [n_items] bool, the items that may be recommended.
    """

    scorer: BlockScorer
    allowed: Tensor

    @property
    def n_users(self) -> int:
        """See Scorer."""
        return self.scorer.n_users

    @property
    def n_items(self) -> int:
        """See Scorer."""
        return self.scorer.n_items

    def score_all(self, users: Tensor) -> Tensor:
        """See Scorer."""
        return self.score_block(users, 0, self.n_items)

    def score_block(self, users: Tensor, first: int, last: int) -> Tensor:
        """See BlockScorer."""
        scores = self.scorer.score_block(users, first, last)
        return scores.masked_fill_(~self.allowed[first:last].to(scores.device), -torch.inf)


def best(
    scorer: BlockScorer, users: Tensor, k: int, seen: Histories | None, allowed: Tensor | None
) -> Recommendations:
    """Return the `k` best items for each user.

    Args:
        scorer: Scores all items.
        users: [U] int64, rows of the scorer. A row that it does not have gets an empty list.
        k: The length of the lists.
        seen: [U] items to leave out, row r for users[r]; None for none.
        allowed: [n_items] bool, the items to choose from; None for all.
    """
    return top_k(
        scorer if allowed is None else Restricted(scorer, allowed),
        users,
        k=k,
        drop=None if seen is None else seen.distinct(),
        block_scores=_BLOCK_SCORES,
    )


def lists_frame(
    found: Recommendations, users: pl.Series, ids: pl.Series, side: Side
) -> pl.DataFrame:
    """Return the lists as a frame: see `Recommender.recommend`.

    Args:
        found: Lists of rows, user r of them being users[r].
        users: [U] the ids of the users.
        ids: The ids of `side`.
        side: What the lists are of.
    """
    rows = Recommendations(torch.arange(len(users)), found.items, found.scores)
    frame = recommendations_frame(rows, Vocabulary(users, ids), None)
    if side.features is None or "title" not in side.features.columns:
        return frame
    listed = found.items[found.items >= 0]
    return frame.with_columns(side.features["title"].gather(listed.numpy()))
