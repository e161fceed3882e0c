"""Files that are whole or not there: a process may be killed at any time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twotower.core.secrets import mask_all

__all__ = ["read_json", "replace_file", "write_json"]


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside, and move it to `path`."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    write(unfinished)
    unfinished.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write plain containers, without secrets."""
    text = json.dumps(mask_all(value), indent=1)
    replace_file(path, lambda unfinished: unfinished.write_text(text))


def read_json(path: Path) -> Any:
    """What `write_json` wrote; None where there is no such file, or no JSON in it."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
