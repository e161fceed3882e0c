"""Frames kept on disk as Parquet, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock

from twotower.core.secrets import mask_all

logger = logging.getLogger(__name__)

_META = "meta.json"
_DAMAGE = (OSError, ValueError, KeyError, TypeError)  # what reading half an entry can raise


@dataclass(frozen=True)
class Entry:
    """What one cache entry holds: frames by name (None: there is none), and a note in JSON."""

    frames: Mapping[str, pl.DataFrame | None]
    note: dict[str, Any]


def cached(directory: Path, make: Callable[[], Entry]) -> Entry:
    """The entry in `directory`, made by `make` if it is absent or damaged.

    An entry appears by a rename, and only one process at a time makes it. Every file is checked
    against a checksum; damage is logged and the entry made anew.
    """
    with suppress(*_DAMAGE):  # met again below, where it is reported
        return _read(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{directory}.lock"):
        try:
            return _read(directory)  # another process may have made it in the meantime
        except _DAMAGE as damage:
            if directory.exists():
                logger.warning("The cache entry %s is damaged and made anew: %s", directory, damage)
        entry = make()
        _write(directory, entry)
        return entry


def _write(directory: Path, entry: Entry) -> None:
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=directory.parent) as scratch:
        whole = Path(scratch) / directory.name
        whole.mkdir()
        checksums: dict[str, str | None] = {}
        for name, frame in entry.frames.items():
            checksums[name] = None
            if frame is not None:
                frame.write_parquet(whole / f"{name}.parquet")
                checksums[name] = _checksum((whole / f"{name}.parquet").read_bytes())
        content = {"checksums": checksums, "note": mask_all(entry.note)}
        meta = {**content, "checksum": _checksum(_canonical(content))}
        (whole / _META).write_text(json.dumps(meta, indent=2), encoding="utf-8")
        if directory.exists():
            shutil.rmtree(directory)
        whole.rename(directory)


def _read(directory: Path) -> Entry:
    meta = json.loads((directory / _META).read_text(encoding="utf-8"))
    content = {key: meta[key] for key in ("checksums", "note")}
    if meta["checksum"] != _checksum(_canonical(content)):
        raise ValueError(f"{_META} does not match its checksum")
    frames = {
        name: None if checksum is None else _frame(directory / f"{name}.parquet", checksum)
        for name, checksum in content["checksums"].items()
    }
    return Entry(frames, content["note"])


def _frame(path: Path, checksum: str) -> pl.DataFrame:
    content = path.read_bytes()
    if _checksum(content) != checksum:
        raise ValueError(f"{path.name} does not match its checksum")
    return pl.read_parquet(BytesIO(content))


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
