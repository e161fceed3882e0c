"""Checksums of the files of a folder, so that damage is noticed when they are read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from twotower.core.errors import DataError
from twotower.core.files import read_json, write_json

__all__ = ["CHECKSUMS", "file_checksum", "verify_checksums", "write_checksums"]

CHECKSUMS = "checksums.json"


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Write `checksums.json`, the SHA-256 of each other file in `folder`, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != CHECKSUMS)
    write_json(folder / CHECKSUMS, {path.name: file_checksum(path) for path in files})


def verify_checksums(folder: Path) -> None:
    """Raise DataError, naming the file, unless each listed file of `folder` is there, unchanged."""
    listed = read_json(folder / CHECKSUMS)
    if not isinstance(listed, dict):
        raise DataError(f"{folder / CHECKSUMS} holds no list of files: the model is damaged")
    for name, checksum in listed.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise DataError(f"{path} is missing: the model is incomplete; copy it again")
        if file_checksum(path) != checksum:
            raise DataError(
                f"{path} does not match its checksum in {CHECKSUMS}: the file is damaged or was "
                "changed; copy the model again"
            )
