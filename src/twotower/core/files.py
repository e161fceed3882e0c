"""Atomic writes: a file or folder is there in full or not at all, even if the process is killed."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twotower.core.secrets import mask_all

__all__ = ["no_room", "read_json", "write_atomically", "write_json"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_IN_TORCH = ("PytorchStreamWriter failed", "unexpected pos")  # RuntimeErrors of torch.save


def no_room(error: Exception) -> bool:
    """Return whether `error` was raised because a disk, or a quota, is full."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return any(sign in str(error) for sign in _FULL_IN_TORCH)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file or folder next to `path` and rename it to `path` once it is complete.

    Args:
        path: Replaced if it exists. Its parent folder must exist.
        write: Creates the file or folder at the path it is passed, which has the name of `path`.
    """
    path = path.resolve()  # a link keeps pointing to what is replaced
    with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as scratch:
        complete = Path(scratch) / path.name
        write(complete)
        if path.is_dir():  # rename only replaces empty folders
            shutil.rmtree(path)
        complete.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write plain containers as JSON, atomically and with secrets masked."""
    text = json.dumps(mask_all(value), indent=1)
    write_atomically(path, lambda file: file.write_text(text))


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote, or None if the file is missing or holds no valid JSON."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
