"""Downloaded datasets in the on-disk cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from twotower.core.cache import Entry, cached
from twotower.core.errors import DownloadError
from twotower.types import Interactions

__all__ = ["CACHE_VARIABLE", "cache_root", "cached_interactions"]

CACHE_VARIABLE = "TWOTOWER_CACHE_DIR"

_FORMAT = 1  # increment when the canonical tables change: older entries are then fetched again
_FRAMES = ("log", "users", "items", "test")


def cache_root(cache_dir: str | None) -> Path:
    """Return the cache folder: `dataset.cache_dir`, else $TWOTOWER_CACHE_DIR, else the user's."""
    chosen = cache_dir or os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("twotower")
    return Path(chosen).expanduser().absolute()


def cached_interactions(
    folder: Path, digest: str | None, fetch: Callable[[], Interactions]
) -> Interactions:
    """Return the dataset cached in `folder`; fetch it if it is missing, damaged or outdated.

    Args:
        folder: Cache entry of this dataset. Several processes may share it: one fetches.
        digest: Content digest that the entry must have; None accepts any.
        fetch: Returns the dataset.

    Raises:
        DownloadError: If the cache cannot be written. What `fetch` raises is raised as it is.
    """

    def check(entry: Entry) -> None:
        note = entry.note
        if note["format"] != _FORMAT or digest not in (None, note["digest"]):
            raise ValueError("its format or digest is not the expected one")

    def make() -> Entry:
        fetched = fetch()
        frames = {name: getattr(fetched, name) for name in _FRAMES}
        note = {"format": _FORMAT, "origin": fetched.origin, "digest": fetched.digest}
        return Entry(frames, note)

    try:
        entry = cached(folder, make, check)
    except OSError as error:
        raise DownloadError(
            f"cannot write to the cache folder {folder.parent}: {error}; name another "
            f"with dataset.cache_dir or the environment variable {CACHE_VARIABLE}"
        ) from error
    # Entries of older versions have no test part.
    log, users, items, test = (entry.frames.get(name) for name in _FRAMES)
    assert log is not None
    note = entry.note
    return Interactions(
        log=log,
        users=users,
        items=items,
        test=test,
        origin=note["origin"],
        digest=note["digest"],
    )
