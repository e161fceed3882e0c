"""The contract of a baseline."""

from __future__ import annotations

from dataclasses import replace

import torch

from twotower.baselines import Baseline
from twotower.testing.expect import expect
from twotower.testing.samplers import TRAIN

__all__ = ["check_baseline"]


def check_baseline(baseline: Baseline) -> None:
    """Check a baseline, on 5 users and 8 items.

    Raises:
        AssertionError: The baseline breaks the contract `Baseline`.

    >>> from twotower.baselines.popularity import Popularity
    >>> check_baseline(Popularity())
    """
    days = torch.arange(len(TRAIN)) * 5 % 7  # in no order of users or items
    train = replace(TRAIN, timestamps=days * 86_400 * 1_000_000)
    one, same = baseline.fit(train), baseline.fit(train)
    expect(one.n_items == TRAIN.n_items, f"n_items: must be {TRAIN.n_items}, got {one.n_items}")
    expect(one.n_users >= TRAIN.n_users, f"n_users: must be {TRAIN.n_users} or more")
    users = torch.arange(TRAIN.n_users)
    scores = one.score_all(users)
    shape = [TRAIN.n_users, TRAIN.n_items]
    right = list(scores.shape) == shape
    expect(right, f"score_all: must return {shape}, got {list(scores.shape)}")
    finite = not scores.isnan().any() and not (scores == torch.inf).any()
    expect(finite, "score_all: must be numbers; -inf excludes an item")
    expect(torch.equal(scores, same.score_all(users)), "fit: must be deterministic")
    for user in users:
        alone = one.score_all(user[None])
        same_alone = torch.allclose(alone[0], scores[user], rtol=1e-5)
        expect(same_alone, "score_all: the scores of a user depend on the other users of the call")
