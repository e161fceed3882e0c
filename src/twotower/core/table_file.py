"""Tables written in the format that the file's suffix names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from twotower.core.errors import ConfigError
from twotower.core.files import write_atomically
from twotower.core.remote import is_remote, upload

__all__ = ["require_table_suffix", "write_table"]

_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": pl.DataFrame.write_csv,
    ".parquet": pl.DataFrame.write_parquet,
}


def require_table_suffix(key: str, file: str | Path) -> None:
    """Raise ConfigError naming `key` unless `file` has the suffix of a supported format."""
    if Path(file).suffix not in _WRITERS:
        raise ConfigError(f"{key}: got {str(file)!r}, must end in {' or '.join(_WRITERS)}")


def write_table(frame: pl.DataFrame, path: str | Path, key: str = "file") -> None:
    """Write `frame` to `path` atomically, as CSV or Parquet; create its parent folders.

    `require_table_suffix` must have accepted `path`, which `key` holds. A URL is uploaded to.
    """
    if is_remote(path):
        with TemporaryDirectory(prefix="twotower-") as folder:
            local = Path(folder) / Path(path).name
            write_table(frame, local)
            upload(local, str(path), key)
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write = _WRITERS[path.suffix]
    write_atomically(path, lambda file: write(frame, file))
