"""Which of its candidates are a row's negatives, once the model has scored them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from twotower.types import Hardest, Negatives

__all__ = ["hardest_places", "kept"]


def hardest_places(scores: Tensor, valid: Tensor | None, hardest: Hardest) -> Tensor:
    """[B, n] int64: the places of each row's negatives among its candidates, all different.

    scores: [B, N] of the candidates. valid: [B, N] bool or None, as of `Negatives`: a candidate
    that is not valid is taken only where too few others are left. With fewer than `hardest.n`
    candidates (the last batch may be short) all are taken.

    Group g of n holds the places g, g + n, g + 2n, ...: of one size where n divides N, else some
    have one more.
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
    """The negatives at `places` [B, n] of each row of `candidates`, with what is known of each."""

    def at_places(values: Tensor) -> Tensor:
        return values.expand(len(places), -1).gather(1, places)

    return Negatives(
        items=at_places(candidates.items),
        log_expected_count=at_places(candidates.log_expected_count),
        valid=None if candidates.valid is None else at_places(candidates.valid),
    )
