"""Read tables that people bring: one text or Parquet file, or a directory of Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.errors import DataError

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_COMPRESSIONS = (".gz", ".zst")


@dataclass(frozen=True)
class Table:
    """One file's content. A text file's columns are strings throughout, a Parquet file's typed."""

    file: Path
    frame: pl.DataFrame
    is_text: bool


def read_tables(
    path: str, key: str, separator: str | None, columns: Sequence[tuple[str, str | None]] | None
) -> list[Table]:
    """The tables at `path`, one a file, in order of name.

    key: the config key that holds `path`, for messages.
    separator: of text files; None takes it from the suffix.
    columns: (name of a column that must be there, config key that names it); None reads all.
    Raises DataError for a path, suffix or content that is not there or cannot be read.
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise DataError(f"{root} does not exist; {key} must name a file or directory")
    if root.is_dir():
        files = sorted(root.rglob("*.parquet"))
        if not files:
            raise DataError(f"{root} ({key}) is a directory without a .parquet file in it")
    else:
        files = [root]
    tables = [_read(file, key, separator, columns) for file in files]
    if all(table.frame.is_empty() for table in tables):
        raise DataError(f"{root} ({key}) is empty: it holds no row of data")
    return [table for table in tables if not table.frame.is_empty()]


def _read(
    file: Path, key: str, separator: str | None, columns: Sequence[tuple[str, str | None]] | None
) -> Table:
    is_text = file.suffix.lower() != ".parquet"
    try:
        if is_text:
            frame = read_text(file, separator or _separator(file, key), quote_char='"')
            present = frame.columns
        else:
            present = list(pl.read_parquet_schema(file))
        names = require_columns(file, present, columns)
        if not is_text:
            frame = pl.read_parquet(file, columns=names, glob=False)
    except pl.exceptions.PolarsError as error:
        hint = "; is dataset.separator right, and the encoding UTF-8?" if is_text else ""
        raise DataError(f"{file} ({key}) cannot be read: {error}{hint}") from error
    return Table(file, frame.select(names), is_text)


def read_text(file: Path, separator: str, quote_char: str | None) -> pl.DataFrame:
    """A text file with a header, every column as strings; no rows if the file is empty."""
    try:
        return pl.read_csv(
            file, separator=separator, quote_char=quote_char, infer_schema=False, glob=False
        )
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{file} is empty: it holds not even a header") from error


def _separator(file: Path, key: str) -> str:
    suffixes = [s.lower() for s in file.suffixes if s.lower() not in _COMPRESSIONS]
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in _SEPARATORS:
        raise DataError(
            f"{file} ({key}) has the suffix {suffix!r}; valid: .csv, .tsv (also with .gz or .zst) "
            "and .parquet; for another text file set dataset.separator"
        )
    return _SEPARATORS[suffix]


def require_columns(
    file: Path, present: Sequence[str], columns: Sequence[tuple[str, str | None]] | None
) -> list[str]:
    """The names to keep. Raises DataError for the first that is not there."""
    if columns is None:
        return list(present)
    for name, key in columns:
        if name not in present:
            raise DataError(
                f"{file} has no column {name!r} ({key}); it has {', '.join(map(repr, present))}"
            )
    return [name for name, _ in columns]
