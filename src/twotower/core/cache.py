"""The on-disk cache: folders of Parquet files with checksums, written atomically."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock

from twotower.core.checksums import file_checksum
from twotower.core.files import write_atomically
from twotower.core.secrets import mask_all

__all__ = ["Entry", "cached"]

logger = logging.getLogger(__name__)

_META = "meta.json"
_DAMAGE = (OSError, ValueError, KeyError, TypeError)  # raised when an incomplete entry is read


@dataclass(frozen=True)
class Entry:
    """The content of one cache entry.

    Attributes:
        frames: Tables by name; None is stored and restored as None.
        note: JSON-serializable metadata. Secrets in it are masked on disk.
    """

    frames: Mapping[str, pl.DataFrame | None]
    note: dict[str, Any]


def cached(
    directory: Path,
    make: Callable[[], Entry],
    check: Callable[[Entry], object] | None = None,
) -> Entry:
    """Return the entry in `directory`; call `make` and store its result if there is none.

    Processes that share the cache wait for the one that makes the entry. An entry that fails its
    checksums or `check` is reported as a warning and rebuilt.

    Args:
        directory: Folder of this entry alone; its lock file is `<directory>.lock`.
        make: Computes the entry.
        check: Raises ValueError for an entry that is intact but no longer wanted.

    Raises:
        OSError: If the entry cannot be written.
    """
    with suppress(*_DAMAGE):  # the second read, under the lock, reports the damage
        return _read(directory, check)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{directory}.lock"):
        try:
            return _read(directory, check)  # another process may have made it by now
        except _DAMAGE as damage:
            if directory.exists():
                logger.warning("Rebuilding the damaged cache entry %s: %s", directory, damage)
        entry = make()
        write_atomically(directory, lambda folder: _write(folder, entry))
        return entry


def _write(folder: Path, entry: Entry) -> None:
    folder.mkdir()
    checksums: dict[str, str | None] = {}
    for name, frame in entry.frames.items():
        checksums[name] = None
        if frame is not None:
            path = folder / f"{name}.parquet"
            frame.write_parquet(path)
            checksums[name] = file_checksum(path)
    content = {"checksums": checksums, "note": mask_all(entry.note)}
    meta = {**content, "checksum": _checksum(_canonical(content))}
    (folder / _META).write_text(json.dumps(meta, indent=2), encoding="utf-8")


def _read(directory: Path, check: Callable[[Entry], object] | None) -> Entry:
    meta = json.loads((directory / _META).read_text(encoding="utf-8"))
    content = {key: meta[key] for key in ("checksums", "note")}
    if meta["checksum"] != _checksum(_canonical(content)):
        raise ValueError(f"{_META} does not match its checksum")
    frames = {
        name: None if checksum is None else _frame(directory / f"{name}.parquet", checksum)
        for name, checksum in content["checksums"].items()
    }
    entry = Entry(frames, content["note"])
    if check is not None:
        check(entry)
    return entry


def _frame(path: Path, checksum: str) -> pl.DataFrame:
    content = path.read_bytes()
    if _checksum(content) != checksum:
        raise ValueError(f"{path.name} does not match its checksum")
    return pl.read_parquet(BytesIO(content))


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
