"""States on disk, replaced atomically; the error of a full disk names the bytes needed."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins import TorchCheckpointIO

from twotower.core.files import no_room, write_atomically

__all__ = ["AtomicCheckpoints", "save_state"]


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints atomically.

    Lightning copies a file from the temporary folder to its place, where a process that is killed,
    or a full disk, would leave a part of it.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; see `save_state`."""
        save_state(checkpoint, Path(path))


def save_state(content: object, path: Path) -> None:
    """Write `content` for `torch.load` and replace `path` by it once it is complete.

    Raises:
        OSError: The message has the number of bytes that are needed, if there is no room.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(path, lambda file: torch.save(content, file))
    except (OSError, RuntimeError) as error:
        if not no_room(error):
            raise
        code = (error.errno if isinstance(error, OSError) else None) or errno.ENOSPC
        needs = f"{os.strerror(code)}, {_size_of(content):,} bytes are needed"
        raise OSError(code, needs, str(path)) from error


def _size_of(content: object) -> int:
    counter = _Counter()
    torch.save(content, counter)  # type: ignore[arg-type]
    return counter.size


class _Counter:
    """A file that only counts what is written to it."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, piece: bytes) -> int:
        self.size += memoryview(piece).nbytes
        return memoryview(piece).nbytes

    def flush(self) -> None: ...
