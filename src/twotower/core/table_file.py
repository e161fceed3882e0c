"""Tables written in the format that the file's suffix names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from twotower.core.errors import ConfigError
from twotower.core.files import write_atomically
from twotower.core.remote import is_remote, upload

__all__ = ["join_parts", "read_head", "require_table_suffix", "write_table"]

_WRITERS: dict[str, Callable[[pl.LazyFrame, Path], object]] = {
    ".csv": lambda table, path: table.sink_csv(path),
    ".parquet": lambda table, path: table.sink_parquet(path),
    ".jsonl": lambda table, path: table.sink_ndjson(path),
}


def require_table_suffix(key: str, file: str | Path) -> None:
    """Raise ConfigError naming `key` unless `file` has the suffix of a supported format."""
    if Path(file).suffix not in _WRITERS:
        raise ConfigError(f"{key}: got {str(file)!r}, must end in one of {', '.join(_WRITERS)}")


def write_table(frame: pl.DataFrame, path: str | Path, key: str = "file") -> None:
    """Write `frame` to `path` atomically, as its suffix says; create its parent folders.

    `require_table_suffix` must have accepted `path`, which `key` holds. A URL is uploaded to.
    """
    _write(frame.lazy(), path, key)


def join_parts(parts: Sequence[Path], path: str | Path, key: str = "file") -> None:
    """Write the rows of Parquet files, in that order, without holding all; see `write_table`."""
    _write(pl.scan_parquet([*parts], glob=False), path, key)


def read_head(path: Path, n: int) -> pl.DataFrame:
    """Return the first `n` rows of a Parquet file."""
    return pl.scan_parquet(path, glob=False).head(n).collect()


def _write(table: pl.LazyFrame, path: str | Path, key: str) -> None:
    if is_remote(path):
        with TemporaryDirectory(prefix="twotower-") as folder:
            local = Path(folder) / Path(path).name
            _write(table, local, key)
            upload(local, str(path), key)
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write = _WRITERS[path.suffix]
    write_atomically(path, lambda file: write(table, file))
