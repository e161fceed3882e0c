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
FORMAT = 4
LIBRARIES = ("replay-rec", "polars")
# The frames that an entry always keeps; `history` only where it is another than train.
_OWN = ("train", "validation", "validation_known", "test", "test_known", "users", "items")


def prepare(
    interactions: Interactions,
    preprocessing: Preprocessing,
    split: Split,
    cache_dir: Path | None,
    config: Mapping[str, Any],
) -> SplitFrames:
    """Return the parts of `interactions`, from `cache_dir` if they are cached.

    cache_dir: None disables the cache. config: the nodes that `preprocessing` and `split` were made
    of, as plain JSON values; with the digest of the data it names the cache entry, so the
    dataset's own node (a path, a mirror) need not be in it.
    Raises DataError when a filter or a part of the split comes out empty or lacks a column.
    """

    def make() -> Entry:
        return _as_entry(*_prepare(interactions, preprocessing, split), config)

    if cache_dir is None:
        entry = make()
    else:
        entry = cached(cache_dir / cache_key(interactions.digest, config), make)
    for step in entry.note["steps"]:
        logger.info(step)
    return _as_frames(entry)


def _prepare(
    interactions: Interactions, preprocessing: Preprocessing, split: Split
) -> tuple[SplitFrames, list[str]]:
    steps = list(match_notes(interactions, split))
    log = preprocessing.before_split(interactions.log, steps)
    parts = split.split(log, interactions.test, steps)
    validation = parts.validation
    if validation is not None:
        validation = preprocessing.relevant(validation, "validation", steps)
    test = preprocessing.relevant(parts.test, "test", steps)
    # Known interactions are history, liked or not, so relevance filters do not apply to them.
    held = {
        "train": parts.train,
        "validation": validation,
        "test": test,
        "history": parts.history,
        "validation_known": parts.validation_known,
        "test_known": parts.test_known,
    }
    digest = frames_digest(held)
    frames = SplitFrames(
        train=parts.train,
        validation=validation,
        validation_known=parts.validation_known,
        test=test,
        test_known=parts.test_known,
        history=parts.history,
        users=interactions.users,
        items=interactions.items,
        n_users=_n_users(log, interactions.test),
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
    held = {name: getattr(frames, name) for name in _OWN}
    held["history"] = None if frames.history is frames.train else frames.history
    digests = {"digest": frames.digest, "identity": frames.identity}
    note = {**digests, "n_users": frames.n_users, "steps": steps}
    return Entry(held, {**note, "config": dict(config)})


def _as_frames(entry: Entry) -> SplitFrames:
    frames = dict(entry.frames)
    train, test = frames["train"], frames["test"]
    assert train is not None
    assert test is not None
    history = frames["history"]
    return SplitFrames(
        train=train,
        validation=frames["validation"],
        validation_known=frames.get("validation_known"),  # entries written before it lack it
        test=test,
        test_known=frames.get("test_known"),
        history=train if history is None else history,
        users=frames["users"],
        items=frames["items"],
        n_users=entry.note["n_users"],
        digest=entry.note["digest"],
        identity=entry.note["identity"],
    )
