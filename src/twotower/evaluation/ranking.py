"""Exact top-K retrieval over all items, in blocks of users and items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

from twotower.core.errors import TrainingError
from twotower.evaluation.one_ranking import lists_of_one
from twotower.evaluation.selection import best, best_of_rows
from twotower.types import BlockScorer, ItemLists, OneRanking, Recommendations, Scorer

__all__ = ["held_bytes", "top_k"]

# Scores that a core's own cache holds: they are read again after they are computed.
_CACHED = 1 << 19
# Matrix products of fewer users take as long; those of fewer items take longer for each.
_ROWS, _WIDTH = 16, 8192
_BYTES = 30  # of a score that is held, at the peak


def held_bytes(block_scores: int, n_items: int) -> int:
    """Return the memory that a block of a BlockScorer takes at its peak."""
    return _BYTES * max(min(block_scores, _CACHED), min(n_items, _WIDTH))


@torch.no_grad()
def top_k(
    scorer: Scorer,
    users: Tensor,
    *,
    k: int,
    drop: ItemLists | None,
    block_scores: int,
    progress: Callable[[int], object] = lambda _: None,
) -> Recommendations:
    """Return the `k` best items for each user, on the CPU.

    Equal scores are ordered by row number, the higher one first: RePlay's order if rows are in the
    order of ids. So the result depends neither on the block size nor on the device.

    Args:
        scorer: Scores all items; a BlockScorer scores a block of them at a time.
        users: [U] int64. A user that the scorer cannot serve gets an empty list.
        k: Length of the lists.
        drop: Row r lists the items excluded from the ranking of users[r]; None: none. Items with a
            score of -inf are excluded too.
        block_scores: Scores held at a time, at a peak of about 30 bytes each. If the scorer is no
            BlockScorer, a block has block_scores // n_items users, at least one.
        progress: Called with the number of users after each block.

    Raises:
        TrainingError: If a score is NaN or +inf.

    Example:
        >>> from twotower.model import DotProductScorer
        >>> scorer = DotProductScorer(torch.eye(2), torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
        >>> top_k(scorer, torch.tensor([0]), k=2, drop=None, block_scores=4).items
        tensor([[1, 0]])
    """
    width = min(k, scorer.n_items)
    items = torch.full((len(users), k), -1, dtype=torch.int64)
    scores = torch.full((len(users), k), -torch.inf)
    known = torch.nonzero(users < scorer.n_users).squeeze(1)  # places in `users`
    if isinstance(scorer, OneRanking) and len(known):
        row = _scores(scorer, users[known[:1]], 0, scorer.n_items)
        if not (row < torch.inf).all():
            raise _no_numbers(scorer, users[known[:1]], row)
        dropped = None if drop is None else drop.select(known)
        lists = lists_of_one(row[0].cpu() + 0.0, len(known), width, dropped)
        items[known, :width], scores[known, :width] = lists
        progress(len(known))
        return Recommendations(users, items, scores)
    n_users, edges = _blocks(scorer, len(known), block_scores)
    for places in torch.split(known, n_users) if len(known) else ():
        dropped = None if drop is None else drop.select(places)
        best_scores, best_items = _best_of_block(scorer, users[places], dropped, edges, width)
        scores[places, :width] = best_scores = best_scores.cpu() + 0.0  # 0.0 for -0.0
        items[places, :width] = best_items.cpu().masked_fill_(best_scores == -torch.inf, -1)
        progress(len(places))
    return Recommendations(users, items, scores)


def _blocks(scorer: Scorer, n_users: int, block_scores: int) -> tuple[int, list[int]]:
    """Return how many users a block has, and where blocks of items begin, and the last one ends."""
    n_items = scorer.n_items
    if not isinstance(scorer, BlockScorer):
        return max(1, block_scores // max(1, n_items)), [0, n_items]
    held = min(block_scores, _CACHED)
    n_users = max(1, min(n_users, held // max(1, min(n_items, _WIDTH))))
    width = max(_WIDTH, held // max(n_users, _ROWS))
    # The last block is longer rather than shorter: products of few items round differently.
    return n_users, [*(width * block for block in range(max(1, n_items // width))), n_items]


def _best_of_block(
    scorer: Scorer, users: Tensor, dropped: ItemLists | None, edges: list[int], width: int
) -> tuple[Tensor, Tensor]:
    """Return the best scores of `users` and the items that have them, [B, width] each."""
    parts = _parts(dropped, edges)
    found = []
    for (first, last), (rows, columns) in zip(pairwise(edges), parts, strict=True):
        scores = _scores(scorer, users, first, last)
        place = rows.to(scores.device), (columns - first).to(scores.device)
        excluded = scores[place]
        scores[place] = -torch.inf
        values, items = best_of_rows(scores, width)
        if not (values[:, 0] < torch.inf).all() or not (excluded < torch.inf).all():
            raise _no_numbers(scorer, users, _scores(scorer, users, first, last))
        found.append((values, items + first))
    if len(found) == 1:
        return found[0]
    values, items = (torch.cat(each, 1) for each in zip(*found, strict=True))
    return best(values, items, width)


def _parts(dropped: ItemLists | None, edges: list[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rows and items to drop of each block of items."""
    if dropped is None:
        dropped = ItemLists(torch.zeros(1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    rows, items = dropped.rows, dropped.items.long()
    if len(edges) > 2:
        items, order = items.sort()
        rows = rows[order]
        bounds = torch.searchsorted(items, torch.tensor(edges)).tolist()
        for start, end in pairwise(bounds):
            yield rows[start:end], items[start:end]
    else:
        within = items < edges[-1]
        yield rows[within], items[within]


def _scores(scorer: Scorer, users: Tensor, first: int, last: int) -> Tensor:
    """Return [B, last - first] float32 in new memory, since items are excluded in place."""
    if isinstance(scorer, BlockScorer):
        scores, new = scorer.score_block(users, first, last), True
    else:
        scores, new = scorer.score_all(users), False
    if scores.shape != (len(users), last - first):
        raise TrainingError(
            f"{type(scorer).__name__}.{'score_block' if new else 'score_all'} gave scores of "
            f"shape {tuple(scores.shape)} for {len(users)} users and {last - first} items; "
            f"expected ({len(users)}, {last - first})"
        )
    return scores.to(torch.float32, copy=not new)


def _no_numbers(scorer: Scorer, users: Tensor, scores: Tensor) -> TrainingError:
    highest = scores.amax(1)  # NaN where there is one in the row
    bad = ~(highest < torch.inf)
    row = int(bad.nonzero()[0])
    return TrainingError(
        f"{type(scorer).__name__} gave {int(bad.sum())} of {len(users)} users a score that is "
        f"not a finite number, first in user row {int(users[row])} ({float(highest[row])}): "
        "no ranking can be made of it. Training has diverged: lower optimizer.lr"
    )
