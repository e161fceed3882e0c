"""Selection of each row's hardest candidates, once the model has scored them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from twotower.types import Hardest, Negatives

__all__ = ["hardest_places", "kept"]


def hardest_places(scores: Tensor, valid: Tensor | None, hardest: Hardest) -> Tensor:
    """Return the places of each row's negatives among its candidates, all different.

    Group g of n holds the places g, g + n, g + 2n, ...: all of one size if n divides N, else some
    have one more.

    Args:
        scores: [B, N], of the candidates.
        valid: [B, N] bool or None, as in `Negatives`. A candidate that is not valid is selected
            only if too few others are left.
        hardest: How many are kept, and how.

    Returns:
        [B, n] int64; fewer columns if there are fewer than n candidates (the last batch may be
        small).

    Example:
        >>> scores = torch.tensor([[0.1, 0.9, 0.3, 0.2]])
        >>> hardest_places(scores, None, Hardest(n=2, of_each=False))
        tensor([[1, 2]])
    """
    rows, candidates = scores.shape
    n = min(hardest.n, candidates)
    if valid is not None:
        scores = scores.where(valid, torch.finfo(scores.dtype).min)
    if not hardest.of_each:
        return scores.topk(n, dim=1).indices
    groups = pad(scores, (0, -candidates % n), value=-math.inf).view(rows, -1, n)
    return groups.argmax(1) * n + torch.arange(n, device=scores.device)


def kept(candidates: Negatives, places: Tensor) -> Negatives:
    """Return the candidates at `places` [B, n] of each row, with their counts and validity."""

    def at_places(values: Tensor) -> Tensor:
        return values.expand(len(places), -1).gather(1, places)

    return Negatives(
        items=at_places(candidates.items),
        log_expected_count=at_places(candidates.log_expected_count),
        valid=None if candidates.valid is None else at_places(candidates.valid),
    )
