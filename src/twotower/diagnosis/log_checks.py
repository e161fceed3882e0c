"""Checks of the log as it is read, and of what filters keep of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import polars as pl

from twotower.diagnosis.examined import Examined
from twotower.diagnosis.findings import Finding, share
from twotower.types import FILE_ORDER, ITEM, TIMESTAMP, USER

__all__ = ["feature_ids", "filtered", "popularity", "repeats", "sizes", "ties", "times"]

# Shares above which a finding is a warning.
_SAME_ROWS = 0.1  # rows that are there again with the same time: rarely anybody's doing
_ONE_MOMENT = 0.05  # rows with the most frequent time: a default value, or the time of an import
_TIED = 0.1  # rows with the time of another row of the user
_FILTERED = 0.5  # rows that filters drop
_TOP = 0.5  # interactions of the most popular 1% of the items
_WITHOUT_FEATURES = 0.1  # ids that a table of features lacks
_FEW_MOMENTS = 20  # rows of one time that may be chance
_DAY = dt.timedelta(days=1)


def sizes(data: Examined) -> Iterator[Finding]:
    """Yield the sizes of what filters keep; an error if lists hold every item."""
    users, items = data.kept[USER].n_unique(), data.kept[ITEM].n_unique()
    density = len(data.kept) / (users * items)
    found = (
        f"{len(data.kept):,} interactions of {users:,} users with {items:,} items, "
        f"{len(data.kept) / users:.1f} per user, {density:.2%} of all pairs"
    )
    if data.buckets > 1:
        found = f"a sample, 1 of {data.buckets} groups of users: {found}"
    k = max(data.experiment.evaluation.cutoffs)
    if items <= k:
        yield Finding(
            "size",
            "error",
            found,
            f"A list of {k} holds every item, so that no model can be better than another.",
            f"evaluation.k below {items}",
        )
    else:
        yield Finding("size", "ok", found)


def filtered(data: Examined) -> Iterator[Finding]:
    """Yield the share of rows that preprocessing drops."""
    dropped = len(data.log) - len(data.kept)
    found = f"preprocessing drops {share(dropped, len(data.log))} interactions"
    if dropped > _FILTERED * len(data.log):
        yield Finding(
            "filters",
            "warning",
            found,
            "The results describe a small part of the log.",
            "preprocessing.filters, preprocessing.duplicates",
        )
    else:
        yield Finding("filters", "ok", found)


def repeats(data: Examined) -> Iterator[Finding]:
    """Yield the rows that repeat a pair, and those that repeat its time too."""
    log, n = data.log, len(data.log)
    again = n - log.select(USER, ITEM).n_unique()
    same = n - log.select(USER, ITEM, TIMESTAMP).n_unique() if TIMESTAMP in log.columns else 0
    found = f"{share(again, n)} interactions repeat a (user, item) pair"
    found += f", {same:,} of them its time, too" if same else ""
    keeps = data.experiment.preprocessing.duplicates == "keep"
    if same > _SAME_ROWS * n:
        yield Finding(
            "repeats",
            "warning",
            found,
            "Rows are there several times: was a file, or a folder, counted twice?",
            "dataset.path; preprocessing.duplicates=once drops them" if keeps else "dataset.path",
        )
    elif again and keeps and data.experiment.evaluation.drop_seen:
        yield Finding(
            "repeats",
            "warning",
            found,
            "Seen items are left out of the lists, so that a held-out repeat cannot be hit.",
            "preprocessing.duplicates=once, or evaluation.drop_seen=false",
        )
    else:
        yield Finding("repeats", "ok", found + ("; dropped" if again and not keeps else ""))


def times(data: Examined) -> Iterator[Finding]:
    """Yield what is suspicious about the timestamps."""
    log = data.log
    if TIMESTAMP not in log.columns:
        yield Finding("times", "ok", "the log has no timestamps, and the split needs none")
        return
    values = log[TIMESTAMP]
    first, last = values.min(), values.max()
    if not isinstance(first, dt.datetime) or not isinstance(last, dt.datetime):
        yield Finding("times", "ok", f"an order, no times: {first!r} to {last!r}")
        return
    span = f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    keys = "dataset.timestamp_unit, dataset.timestamp_format or dataset.columns.timestamp"
    if first == last:
        needs = data.experiment.split.needs_time
        meaning = "Nothing is earlier or later than anything else."
        yield Finding("times", "error" if needs else "warning", f"all are {first}", meaning, keys)
        return
    if last - first < _DAY:
        meaning = "A log of less than a day is more often one in a wrong unit."
        yield Finding("times", "warning", span, meaning, keys)
        return
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    if last > now + _DAY:
        future = int((values > now).sum())
        meaning = "Times are in the future: they are wrong, and the newest rows are held out."
        found = f"{span}; {share(future, len(log))} are later than now"
        yield Finding("times", "warning", found, meaning, keys)
        return
    most = values.value_counts(sort=True).row(0)
    if most[1] > max(_ONE_MOMENT * len(log), _FEW_MOMENTS):
        yield Finding(
            "times",
            "warning",
            f"{span}; {share(most[1], len(log))} interactions are of one moment, {most[0]}",
            "It may be a default for unknown times, or the time of an import.",
            "remove these rows, or choose another dataset.columns.timestamp",
        )
        return
    yield Finding("times", "ok", span)


def ties(data: Examined) -> Iterator[Finding]:
    """Yield the rows whose place in the order of time nobody knows."""
    log = data.kept
    if TIMESTAMP not in log.columns or not data.experiment.split.needs_time:
        return
    n = len(log)
    tied = int(log.select(pl.struct(USER, TIMESTAMP).is_duplicated().sum()).item())
    found = f"{share(tied, n)} interactions have the time of another one of their user"
    if FILE_ORDER in log.columns:
        yield Finding("ties", "ok", f"{found}; the order of the lines decides")
    elif tied > _TIED * n:
        yield Finding(
            "ties",
            "warning",
            found,
            "Which of them are held out is drawn at random, though always in the same way.",
            "dataset.order=file if the lines are in order of time, or finer timestamps",
        )
    else:
        yield Finding("ties", "ok", found)


def popularity(data: Examined) -> Iterator[Finding]:
    """Yield how unevenly interactions are spread over items."""
    counts = data.kept.group_by(ITEM).len("n")["n"].sort(descending=True)
    n_items, total = len(counts), len(data.kept)
    top = int(counts.head(max(1, round(n_items / 100))).sum())
    found = f"Gini {gini(counts):.2f}; the top 1% of the items have {top / total:.1%}"
    if n_items >= 100 and top > _TOP * total:
        yield Finding(
            "popularity",
            "warning",
            found + " of the interactions",
            "Recommending what is popular is hard to beat, and easily learned by accident.",
            "compare with baselines=[popularity]; try negative_sampling=popularity, and watch "
            "coverage",
        )
    else:
        yield Finding("popularity", "ok", found + " of the interactions")


def gini(counts: pl.Series) -> float:
    """Return the Gini coefficient of counts sorted in descending order: 0 is even.

    >>> gini(pl.Series([5, 5])), gini(pl.Series([3, 1]))
    (0.0, 0.25)
    """
    values = counts.to_numpy()[::-1]  # ascending
    n = len(values)
    ranks = np.arange(1, n + 1)
    return float(2 * (ranks * values).sum() / (n * values.sum()) - (n + 1) / n)


def feature_ids(data: Examined) -> Iterator[Finding]:
    """Yield how many ids of the log have features."""
    for key, name, features in (
        (USER, "users", data.interactions.users),
        (ITEM, "items", data.interactions.items),
    ):
        if features is None:
            continue
        ids = data.log[key].unique()
        lacking = len(ids) - int(ids.is_in(features[key].implode()).sum())
        found = f"{share(lacking, len(ids))} {name} have no row of features"
        if lacking == len(ids):
            yield Finding(
                f"{name}' features",
                "error",
                f"{found}: such as {ids.sort()[0]!r}; features are of {features[key].sort()[0]!r}",
                "The ids of the two files do not match, and a run stops.",
                f"dataset.{name}_path, dataset.columns; ids are compared as text",
            )
        elif lacking > _WITHOUT_FEATURES * len(ids):
            yield Finding(
                f"{name}' features",
                "warning",
                found,
                "They are known by a vector for missing values alone.",
                f"dataset.{name}_path; ids are compared as text",
            )
        else:
            yield Finding(f"{name}' features", "ok", found)
