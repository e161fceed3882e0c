"""Exact top-K retrieval over all items, in blocks of users."""

import torch
from torch import Tensor

from twotower.core.errors import TrainingError
from twotower.types import ItemLists, Recommendations, Scorer

__all__ = ["top_k"]


@torch.no_grad()
def top_k(
    scorer: Scorer,
    users: Tensor,
    *,
    k: int,
    drop: ItemLists | None,
    block_scores: int,
) -> Recommendations:
    """Return the `k` best items for each user, on the CPU.

    Equal scores are ordered by row number, the higher one first: RePlay's order if rows are in the
    order of ids. So the result depends neither on the block size nor on the device.

    Args:
        scorer: Scores all items.
        users: [U] int64. A user that the scorer cannot serve gets an empty list.
        k: Length of the lists.
        drop: Row r lists the items excluded from the ranking of users[r]; None: none. Items with a
            score of -inf are excluded too.
        block_scores: Scores held at a time, at a peak of about 30 bytes each. A block has
            block_scores // n_items users, at least one.

    Raises:
        TrainingError: If a score is NaN or +inf.

    Example:
        >>> from twotower.model import DotProductScorer
        >>> scorer = DotProductScorer(torch.eye(2), torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
        >>> top_k(scorer, torch.tensor([0]), k=2, drop=None, block_scores=4).items
        tensor([[1, 0]])
    """
    n_items = scorer.n_items
    width = min(k, n_items)
    items = torch.full((len(users), k), -1, dtype=torch.int64)
    scores = torch.full((len(users), k), -torch.inf)
    known = torch.nonzero(users < scorer.n_users).squeeze(1)  # places in `users`
    for places in torch.split(known, max(1, block_scores // n_items)):
        block = _candidates(scorer, users[places])
        if drop is not None:
            dropped = drop.select(places)
            within = dropped.items < n_items
            rows, columns = dropped.rows[within], dropped.items[within]
            block[rows.to(block.device), columns.to(block.device)] = -torch.inf
        best = _best(block, width)
        best_scores = block.gather(1, best).cpu()
        scores[places, :width] = best_scores
        items[places, :width] = best.cpu().masked_fill_(best_scores == -torch.inf, -1)
    return Recommendations(users, items, scores)


def _candidates(scorer: Scorer, users: Tensor) -> Tensor:
    """Return [B, n_items] float32 in new memory, since items are excluded in place."""
    scores, n_items = scorer.score_all(users), scorer.n_items
    if scores.shape != (len(users), n_items):
        raise TrainingError(
            f"{type(scorer).__name__}.score_all gave scores of shape {tuple(scores.shape)} for "
            f"{len(users)} users and {n_items} items; expected ({len(users)}, {n_items})"
        )
    scores = scores.to(torch.float32) + 0.0  # also makes 0.0 of -0.0, for _best
    highest = scores.amax(1)  # NaN where there is one in the row
    bad = ~(highest < torch.inf)
    if bad.any():
        row = int(bad.nonzero()[0])
        raise TrainingError(
            f"{type(scorer).__name__} gave {int(bad.sum())} of {len(users)} users a score that is "
            f"not a finite number, first in user row {int(users[row])} ({float(highest[row])}): "
            "no ranking can be made of it. Training has diverged: lower optimizer.lr"
        )
    return scores


def _best(scores: Tensor, width: int) -> Tensor:
    """Return items [B, width] by score, then by row number, both descending."""
    # `topk` breaks ties arbitrarily; one more place reveals a tie at the edge.
    values, items = scores.topk(min(width + 1, scores.shape[1]))
    tied = (values[:, 1:] == values[:, :-1]).any(1)
    items = items[:, :width]
    if tied.any():
        items[tied] = _sort_keys(scores[tied]).topk(width).values & 0xFFFFFFFF
    return items


def _sort_keys(scores: Tensor) -> Tensor:
    """Return distinct int64 keys that sort as (score, item) does; the item is the low half."""
    bits = scores.view(torch.int32)
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # IEEE floats sort as such integers
    return (ordered.to(torch.int64) << 32) | torch.arange(scores.shape[1], device=scores.device)
