"""The folders that a fit writes to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["CHECKPOINTS", "PROFILES", "existing_or_temporary"]

# Below the folder of a fit.
CHECKPOINTS = "checkpoints"
PROFILES = "profiler"


@contextmanager
def existing_or_temporary(folder: Path | None) -> Iterator[Path]:
    """Yield `folder`, which is created if it does not exist; None: a temporary one."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="twotower-") as temporary:
            yield Path(temporary)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
