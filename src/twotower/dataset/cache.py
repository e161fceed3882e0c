"""Fetched datasets on disk: canonical Parquet files, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import polars as pl
from filelock import FileLock

from twotower.core.errors import DownloadError
from twotower.core.secrets import mask
from twotower.types import Interactions

CACHE_VARIABLE = "TWOTOWER_CACHE_DIR"

_MANIFEST = "manifest.json"
_FORMAT = 1  # raise it when the canonical tables change: older entries are then fetched again
_FRAMES = ("log", "users", "items")

logger = logging.getLogger(__name__)


def cache_root(cache_dir: str | None) -> Path:
    """The folder of the key `dataset.cache_dir`, else of TWOTOWER_CACHE_DIR, else the user's."""
    chosen = cache_dir or os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("twotower")
    return Path(chosen).expanduser().absolute()


@dataclass(frozen=True)
class CacheEntry:
    """One dataset's folder in the cache.

    folder: holds `<frame>.parquet` and a manifest with a SHA-256 for each file.
    digest: what the content must be, or None where any content is right.
    """

    folder: Path
    digest: str | None

    def load_or_fetch(self, fetch: Callable[[], Interactions]) -> Interactions:
        """What the entry holds; fetched first where it is missing or damaged.

        Safe with several processes at once: one fetches, the others wait for it. Raises
        DownloadError if the cache cannot be written, and what `fetch` raises.
        """
        if (found := self._read()) is not None:
            return found
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder.with_name(f"{self.folder.name}.lock")):
                if (found := self._read()) is not None:
                    return found
                if self.folder.exists():
                    logger.warning("%s is damaged or out of date: fetching it again", self.folder)
                fetched = fetch()
                self._write(fetched)
                return fetched
        except OSError as error:
            raise DownloadError(
                f"cannot write to the cache folder {self.folder.parent}: {error}; name another "
                f"with dataset.cache_dir or the environment variable {CACHE_VARIABLE}"
            ) from error

    def _read(self) -> Interactions | None:
        """None unless every file is there and has the bytes that were written."""
        try:
            manifest = json.loads((self.folder / _MANIFEST).read_text("utf-8"))
            files = manifest["files"]
            sound = manifest["format"] == _FORMAT and self.digest in (None, manifest["digest"])
            if not sound or any(_sha256(self.folder / name) != files[name] for name in files):
                return None
            frames = {name: self._frame(name, files) for name in _FRAMES}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        log = frames.pop("log")
        if log is None:
            return None
        return Interactions(
            log=log,
            users=frames["users"],
            items=frames["items"],
            test=None,
            origin=str(manifest["origin"]),
            digest=str(manifest["digest"]),
        )

    def _frame(self, name: str, files: dict[str, str]) -> pl.DataFrame | None:
        file = f"{name}.parquet"
        return pl.read_parquet(self.folder / file) if file in files else None

    def _write(self, fetched: Interactions) -> None:
        """Write beside the entry, then rename: a reader never sees half of it."""
        scratch = self.folder.parent / f".writing-{uuid.uuid4().hex}"
        scratch.mkdir()
        try:
            files = {}
            for name in _FRAMES:
                frame: pl.DataFrame | None = getattr(fetched, name)
                if frame is not None:
                    file = scratch / f"{name}.parquet"
                    frame.write_parquet(file)
                    files[file.name] = _sha256(file)
            manifest = {
                "format": _FORMAT,
                "origin": mask(fetched.origin),
                "digest": fetched.digest,
                "files": files,
            }
            (scratch / _MANIFEST).write_text(json.dumps(manifest, indent=2), "utf-8")
            if self.folder.exists():
                shutil.rmtree(self.folder)
            scratch.rename(self.folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
