"""Report held-out pairs that were seen before, which cannot be hit if seen items are dropped."""

from __future__ import annotations

import polars as pl

from twotower.core.numbers import score
from twotower.evaluation.evaluation import Evaluation
from twotower.types import ITEM, USER, SplitFrames, rows_with

__all__ = ["repeat_note"]


def repeat_note(frames: SplitFrames, part: str, evaluation: Evaluation) -> str | None:
    """Return a sentence on the held-out pairs that were seen before; None if there are none.

    If seen items are dropped it states the bound on recall: the share of pairs that can be hit and,
    since recall is a mean over users, the mean over users of min(K, n that can be hit) / n.

    Args:
        frames: The split.
        part: `validation` or `test`.
        evaluation: Whether seen items are dropped, and K.
    """
    if part == "validation":
        held, before = frames.validation, [frames.train, frames.validation_known]
    else:
        held, before = frames.test, [frames.history, frames.test_known]
    if held is None:
        return None
    pair = [USER, ITEM]
    known = pl.concat(
        [rows_with(frame, held.select(pair)) for frame in before if frame is not None]
    )
    seen = held.join(known, on=pair, how="semi")
    if seen.is_empty():
        return None
    n, new = len(held), held.join(known, on=pair, how="anti")
    note = (
        f"{part}: {len(seen):,} of the {n:,} held-out pairs are of items that the user had "
        "interacted with before"
    )
    if not evaluation.drop_seen:
        return f"{note}; evaluation.drop_seen=false lets them be recommended again"
    k = evaluation.cutoffs[0]
    bound = _mean_share(held, new, k)
    return (
        f"{note}, and evaluation.drop_seen=true never recommends those: at most "
        f"{len(new):,}/{n:,} pairs can be hit, and recall@{k}, a mean over users, is at most "
        f"{score(bound)}. Set evaluation.drop_seen=false to let items be recommended again, or "
        f"{_REMOVES}"
    )


_REMOVES = (
    "preprocessing.duplicates=once (one log) or split.drop_repeats=true (split=given) to leave "
    "repeats out of what is held out"
)


def _mean_share(held: pl.DataFrame, new: pl.DataFrame, k: int) -> float:
    """Return the mean over users of the largest share of held-out items in a list of `k`."""
    counts = held.group_by(USER).len("all").join(new.group_by(USER).len("new"), on=USER, how="left")
    share = counts["new"].fill_null(0).clip(upper_bound=k) / counts["all"]
    mean = share.mean()
    assert isinstance(mean, float)
    return mean
