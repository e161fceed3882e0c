"""Tables written in the format that the file's suffix names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from twotower.core.errors import ConfigError
from twotower.core.files import write_atomically

__all__ = ["require_table_suffix", "write_table"]

_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": pl.DataFrame.write_csv,
    ".parquet": pl.DataFrame.write_parquet,
}


def require_table_suffix(key: str, file: str | Path) -> None:
    """Raise ConfigError naming `key` unless `file` has the suffix of a supported format."""
    if Path(file).suffix not in _WRITERS:
        raise ConfigError(f"{key}: got {str(file)!r}, must end in {' or '.join(_WRITERS)}")


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write `frame` to `path` atomically, as CSV or Parquet; create its parent folders.

    `require_table_suffix` must have accepted `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write = _WRITERS[path.suffix]
    write_atomically(path, lambda file: write(frame, file))
