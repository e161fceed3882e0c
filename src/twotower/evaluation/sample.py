"""The users of a validation part that are ranked, where ranking all of them takes too long."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch

from twotower.types import Fold, Holdout

__all__ = ["sampled"]

# `auto` ranks all users up to so many scores (users x items): some ten seconds on one core.
MOST_SCORES = 2_000_000_000
# Fewer users would make the choice of an epoch a matter of chance, whatever the number of items.
FEWEST = 2_000
_SEED = 0  # not that of the run: repeats with other seeds validate the same users


def sampled(fold: Fold, users: int | Literal["auto", "all"]) -> Fold:
    """Return `fold` with a random sample of the users of its holdout, or as it is.

    A smaller sample is part of a larger one.

    Args:
        fold: A fold.
        users: How many users to keep; `auto`: as many as make 2 billion scores, 2,000 at least.
    """
    holdout = fold.holdout
    n_users = len(holdout.users)
    if users == "all":
        return fold
    wanted = max(FEWEST, MOST_SCORES // max(fold.items.n, 1)) if users == "auto" else users
    if wanted >= n_users:
        return fold
    generator = torch.Generator().manual_seed(_SEED)
    rows = torch.randperm(n_users, generator=generator)[:wanted].sort().values
    sample = Holdout(
        holdout.users[rows], holdout.relevant.select(rows), holdout.seen.select(rows), n_users
    )
    return replace(fold, holdout=sample)
