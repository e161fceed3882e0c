"""Checks of the parts: what leaks from one into the other, and who can be judged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from twotower.diagnosis.examined import Examined
from twotower.diagnosis.findings import Finding, share
from twotower.types import ITEM, TIMESTAMP, USER

__all__ = ["cold", "histories", "judged_users", "overlap", "seen_everything", "time_order"]

_COLD = 0.3  # share of held-out pairs that cold users or items make a warning
_SHORT = 0.5  # share of users with a single interaction
_FEW_USERS = 100  # see evaluation.few_users
_PAIR = [USER, ITEM]


def overlap(data: Examined) -> Iterator[Finding]:
    """Yield the held-out pairs that the model is trained on."""
    for part, (train, held) in data.held.items():
        both = held.join(train, on=_PAIR, how="semi").height
        found = f"{share(both, len(held))} held-out pairs are in the rows before it"
        if not both:
            yield Finding(f"overlap, {part}", "ok", found)
        elif data.experiment.evaluation.drop_seen:
            yield Finding(
                f"overlap, {part}",
                "error" if both == len(held) else "warning",
                found,
                "Seen items are left out of the lists, so that these can never be hit.",
                "evaluation.drop_seen=false; or preprocessing.duplicates=once, "
                "split.drop_repeats=true (split=given)",
            )
        else:
            yield Finding(
                f"overlap, {part}",
                "warning",
                found,
                "A model that repeats what it was trained on looks good.",
                "evaluation.drop_seen=true, unless repeats are what should be recommended",
            )


def time_order(data: Examined) -> Iterator[Finding]:
    """Yield the interactions that are trained on and later than what is held out."""
    if TIMESTAMP not in data.kept.columns:
        yield Finding("time order", "ok", "not known: the log has no timestamps")
        return
    for part, (train, held) in data.held.items():
        if TIMESTAMP not in held.columns:
            continue
        first = held.group_by(USER).agg(pl.col(TIMESTAMP).min().alias("first"))
        own = train.join(first, on=USER).filter(pl.col(TIMESTAMP) > pl.col("first"))
        users = own[USER].n_unique()
        start = held[TIMESTAMP].min()
        later = int((train[TIMESTAMP] > start).sum())
        found = (
            f"{share(users, len(first))} users have train interactions after their first held-out "
            f"one; {share(later, len(train))} train interactions are later than the first of {part}"
        )
        if not users:
            yield Finding(f"time order, {part}", "ok", found)
            continue
        yield Finding(
            f"time order, {part}",
            "warning",
            found,
            "The model is trained on the future of the users that it is judged on.",
            "split=time, last_n or ratio",
        )


def cold(data: Examined) -> Iterator[Finding]:
    """Yield the held-out pairs of users, and of items, that are not trained on."""
    split = data.experiment.split
    for part, (train, held) in data.held.items():
        for key, name, drops in (
            (USER, "users", split.drop_cold_users),
            (ITEM, "items", split.drop_cold_items),
        ):
            lost = held.join(train, on=key, how="anti").height
            found = f"{share(lost, len(held))} held-out pairs are of cold {name}"
            check = f"cold {name}, {part}"
            if lost == len(held) and drops:
                yield Finding(
                    check,
                    "error",
                    found,
                    "All are dropped: nothing is left to judge by, and a run stops.",
                    f"split.drop_cold_{name}=false, with a tower that knows {name} by features or "
                    "histories; or another split",
                )
            elif lost > _COLD * len(held):
                yield Finding(
                    check,
                    "warning",
                    found,
                    "They are dropped: the easier part of the pairs is judged."
                    if drops
                    else "A tower of ids cannot hit them, and scores 0 there.",
                    f"split.drop_cold_{name}=false, with a tower of features or histories; or "
                    "split=last_n"
                    if drops
                    else "tower=features, or tower=history for new users",
                )
            else:
                yield Finding(check, "ok", found + ("; dropped" if drops and lost else ""))


def seen_everything(data: Examined) -> Iterator[Finding]:
    """Yield the users who have too few unseen items left for a list."""
    if not data.experiment.evaluation.drop_seen:
        return
    train, held = data.held["test"]
    k, n_items = max(data.experiment.evaluation.cutoffs), train[ITEM].n_unique()
    seen = train.join(held, on=USER, how="semi").group_by(USER).agg(pl.col(ITEM).n_unique())
    full = int((n_items - seen[ITEM] < k).sum())
    found = f"{share(full, held[USER].n_unique())} users of test have fewer than {k} unseen items"
    if full:
        yield Finding(
            "seen everything",
            "warning",
            found,
            "Their lists are short, and the same for every model.",
            "a smaller evaluation.k, or evaluation.drop_seen=false",
        )
    else:
        yield Finding("seen everything", "ok", found)


def histories(data: Examined) -> Iterator[Finding]:
    """Yield how many interactions users have."""
    lengths = data.kept.group_by(USER).len("n")["n"].to_numpy()
    single = int((lengths < 2).sum())
    found = (
        f"{np.median(lengths):.0f} interactions per user in the median, {lengths.min():,} to "
        f"{lengths.max():,}; {share(single, len(lengths))} users have one"
    )
    if single > _SHORT * len(lengths):
        yield Finding(
            "histories",
            "warning",
            found,
            "Little can be learned about most users.",
            "preprocessing=k_core, or tower=history",
        )
    else:
        yield Finding("histories", "ok", found)


def judged_users(data: Examined) -> Iterator[Finding]:
    """Yield how many users are judged."""
    split, n_users = data.experiment.split, data.kept[USER].n_unique()
    for part, (train, held) in data.held.items():
        for key, drops in ((USER, split.drop_cold_users), (ITEM, split.drop_cold_items)):
            held = held.join(train, on=key, how="semi") if drops else held
        judged = held[USER].n_unique()
        found = f"{share(judged, n_users)} users, {len(held):,} pairs"
        if 0 < judged < _FEW_USERS:
            yield Finding(
                f"judged, {part}",
                "warning",
                found,
                "With so few users only large differences between models can be shown.",
                split.judging_more,
            )
        elif judged:  # else `cold` is an error
            yield Finding(f"judged, {part}", "ok", found)
