"""Read tables from a text file, a Parquet file or a directory of Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from pyarrow import parquet

from twotower.core.errors import DataError
from twotower.core.remote import is_remote, local_copy
from twotower.dataset.content import COMPRESSIONS, is_parquet, regular_file
from twotower.dataset.parquet_files import frame_of, parquet_errors, parquet_files
from twotower.dataset.text import TextFormat, read_text

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Table:
    """The content of one file, or a frame passed from Python.

    file: what messages call it.
    is_text: whether all columns are strings, as those of a text file.
    first_row: the number of the first row in messages: 1 in a file, 0 in a frame.
    """

    file: Path | str
    frame: pl.DataFrame
    is_text: bool
    first_row: int = 1


def read_tables(
    path: str, key: str, text: TextFormat, columns: Sequence[tuple[str, str | None]] | None
) -> list[Table]:
    """Read the tables at `path`, one per file, in order of their names.

    Args:
        path: a file or a directory of Parquet files, or a URL of either.
        key: the config key that holds `path`, for messages.
        text: the format of text files.
        columns: (name of a required column, config key that names it); None reads all columns.

    Raises:
        DataError: a path, suffix or content is missing or cannot be read.
    """
    if not path:
        raise DataError(f"{key} is empty; it must name a file or directory")
    if is_remote(path):
        with local_copy(path, key) as local:
            tables = _read_all(local, key, text, columns)
            names = [str(table.file).replace(str(local), path) for table in tables]
        return [replace(table, file=name) for table, name in zip(tables, names, strict=True)]
    return _read_all(expanded(path), key, text, columns)


def _read_all(
    root: Path, key: str, text: TextFormat, columns: Sequence[tuple[str, str | None]] | None
) -> list[Table]:
    files = parquet_files(root, key) if _is_directory(root) else [root]
    tables = [_read(file, key, text, columns) for file in files]
    if all(table.frame.is_empty() for table in tables):
        raise DataError(f"{root} ({key}) is empty: it holds no row of data")
    return [table for table in tables if not table.frame.is_empty()]


def expanded(path: str) -> Path:
    """Return `path` with `~` replaced by the home folder, if there is such a user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # no such user
        return Path(path)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def _read(
    file: Path, key: str, text: TextFormat, columns: Sequence[tuple[str, str | None]] | None
) -> Table:
    regular_file(file, key)
    if is_parquet(file, key):
        return Table(file, _read_parquet(file, key, columns), is_text=False)
    if file.suffix.lower() == ".parquet":
        raise DataError(f"{file} ({key}) cannot be read: it is not Parquet, in spite of its name")
    frame = read_text(file, key, text, text.separator or _separator(file, key, text))
    names = require_columns(file, frame.columns, columns, text)
    if columns is not None:
        _refuse_line_ends(file, key, frame.select(names), text)
    return Table(file, frame.select(names), is_text=True)


def _read_parquet(
    file: Path, key: str, columns: Sequence[tuple[str, str | None]] | None
) -> pl.DataFrame:
    with (
        parquet_errors(file, key),
        parquet.ParquetFile(file, page_checksum_verification=True) as opened,
    ):
        names = require_columns(file, opened.schema_arrow.names, columns)
        return frame_of(opened.read(names))


def _refuse_line_ends(file: Path, key: str, log: pl.DataFrame, text: TextFormat) -> None:
    """Raise DataError for a field that spans lines: an unmatched quote swallows rows into it."""
    for values in log:
        spans = values.str.contains("\n", literal=True).fill_null(False)
        if spans.any():
            row = spans.arg_true()[0]
            raise DataError(
                f"{file} ({key}): column {values.name!r} spans several lines in row {row + 1} "
                f"(counted from 1, without the header): {values[row][:60]!r}; its quotes are not "
                f"in pairs: correct them{text.remedy}"
            )


def _separator(file: Path, key: str, text: TextFormat) -> str:
    suffixes = [s.lower() for s in file.suffixes if s.lower() not in COMPRESSIONS]
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in _SEPARATORS:
        raise DataError(
            f"{file} ({key}) has the suffix {suffix!r}; must be .csv, .tsv (also with "
            f"{', '.join(COMPRESSIONS)}) or .parquet; for another text file set "
            f"{text.key('separator')}"
        )
    return _SEPARATORS[suffix]


def require_columns(
    file: Path | str,
    present: Sequence[str],
    columns: Sequence[tuple[str, str | None]] | None,
    text: TextFormat | None = None,
) -> list[str]:
    """Return the names to keep; raise DataError for the first that is missing.

    text: how the file is written where it is a text file, for messages.
    """
    if columns is None:
        return list(present)
    for name, key in columns:
        if name not in present:
            raise DataError(
                f"{file} has no column {name!r} ({key}); it has {', '.join(map(repr, present))}"
                + (_why_not(present, text) if text is not None and text.node else "")
            )
    return [name for name, _ in columns]


def _why_not(present: Sequence[str], text: TextFormat) -> str:
    """Return what a header that has none of the wanted names most likely is."""
    if not text.header:
        return f"; {text.key('header')}=false calls columns by their place, from 1 on"
    if len(present) == 1 and any(mark in present[0] for mark in ",;|\t"):
        return f"; is {text.key('separator')} right?"
    if any(name.lstrip("-").replace(".", "", 1).isdigit() for name in present):
        return (
            f"; a file without a header needs {text.key('header')}=false, and numbers for "
            f"{text.key('columns')}, counted from 1"
        )
    return ""
