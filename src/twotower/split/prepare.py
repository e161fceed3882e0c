"""From a dataset to its parts: filters, split, ground truth, and a cache around them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from twotower.core.cache import Entry, cached
from twotower.dataset.digest import frames_digest
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.split.base import Split
from twotower.split.matches import match_notes
from twotower.types import USER, Interactions, SplitFrames

logger = logging.getLogger(__name__)

# What a prepared split depends on besides data and config. Increment FORMAT when this code changes
# the result; RePlay and Polars draw the random splits.
FORMAT = 5
LIBRARIES = ("replay-rec", "polars")
_FRAMES = ("history", "validation", "validation_known", "test", "test_known", "users", "items")
_IN_TRAIN = "in_train"  # kept as a frame of one column


def prepare(
    interactions: Interactions,
    preprocessing: Preprocessing,
    split: Split,
    cache_dir: Path | None,
    config: Mapping[str, Any],
    *,
    takes_log: bool = False,
) -> SplitFrames:
    """Return the parts of `interactions`, from `cache_dir` if they are cached.

    cache_dir: None disables the cache. config: the nodes that `preprocessing` and `split` were made
    of, as plain JSON values; with the digest of the data it names the cache entry, so the
    dataset's own node (a path, a mirror) need not be in it. takes_log: leave `interactions` without
    its log, whose memory is freed as soon as it is not needed.
    Raises DataError when a filter or a part of the split comes out empty or lacks a column.
    """

    def make() -> Entry:
        return _as_entry(*_prepare(interactions, preprocessing, split, takes_log), config)

    if cache_dir is None:
        entry = make()
    else:
        entry = cached(cache_dir / cache_key(interactions.digest, config), make)
    if takes_log:
        interactions.take_log()
    for step in entry.note["steps"]:
        logger.info(step)
    return _as_frames(entry)


def _prepare(
    interactions: Interactions, preprocessing: Preprocessing, split: Split, takes_log: bool
) -> tuple[SplitFrames, list[str]]:
    steps = list(match_notes(interactions, split))
    # In lists, which are popped: a variable would hold the log while copies of it are made.
    source = [interactions.take_log() if takes_log else interactions.log]
    filtered = [preprocessing.before_split(source.pop(), steps)]
    n_users = _n_users(filtered[0], interactions.test)
    parts = split.split(filtered.pop(), interactions.test, steps)
    validation = parts.validation
    if validation is not None:
        validation = preprocessing.relevant(validation, "validation", steps)
    test = preprocessing.relevant(parts.test, "test", steps)
    # Known interactions are history, liked or not, so relevance filters do not apply to them.
    digest = frames_digest(
        {
            "train": parts.train,
            "validation": validation,
            "test": test,
            "history": parts.history,
            "validation_known": parts.validation_known,
            "test_known": parts.test_known,
        }
    )
    frames = SplitFrames(
        validation=validation,
        validation_known=parts.validation_known,
        test=test,
        test_known=parts.test_known,
        history=parts.history,
        in_train=parts.in_train,
        users=interactions.users,
        items=interactions.items,
        n_users=n_users,
        digest=digest,
        identity=_identity(digest, interactions),
    )
    return frames, steps


def _n_users(log: pl.DataFrame, test: pl.DataFrame | None) -> int:
    """Return the number of users of a log and of the test part that comes with it."""
    return pl.concat([part[USER] for part in (log, test) if part is not None]).n_unique()


def _identity(digest: str, interactions: Interactions) -> str:
    """Return the digest of parts that have `digest`, and of the features."""
    features = {"users": interactions.users, "items": interactions.items}
    if all(frame is None for frame in features.values()):
        return digest
    return hashlib.sha256(f"{digest} {frames_digest(features)}".encode()).hexdigest()


def cache_key(data_digest: str, config: Mapping[str, Any]) -> str:
    """Return the name of the cache entry of data and config; see `prepare`."""
    made_by = {"format": FORMAT, **{name: version(name) for name in LIBRARIES}}
    identity = json.dumps([data_digest, config, made_by], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:24]


def _as_entry(frames: SplitFrames, steps: list[str], config: Mapping[str, Any]) -> Entry:
    held = {name: getattr(frames, name) for name in _FRAMES}
    held[_IN_TRAIN] = None if frames.in_train is None else frames.in_train.to_frame(_IN_TRAIN)
    digests = {"digest": frames.digest, "identity": frames.identity}
    note = {**digests, "n_users": frames.n_users, "steps": steps}
    return Entry(held, {**note, "config": dict(config)})


def _as_frames(entry: Entry) -> SplitFrames:
    frames = dict(entry.frames)
    history, test, in_train = frames["history"], frames["test"], frames[_IN_TRAIN]
    assert history is not None
    assert test is not None
    return SplitFrames(
        validation=frames["validation"],
        validation_known=frames["validation_known"],
        test=test,
        test_known=frames["test_known"],
        history=history,
        in_train=None if in_train is None else in_train[_IN_TRAIN],
        users=frames["users"],
        items=frames["items"],
        n_users=entry.note["n_users"],
        digest=entry.note["digest"],
        identity=entry.note["identity"],
    )
