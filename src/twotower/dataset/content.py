"""Read and decompress text files; name the format of a file that is not text."""

from __future__ import annotations

import io
import lzma
import stat
from pathlib import Path

import pyarrow as pa

from twotower.core.errors import DataError
from twotower.core.unpacking import UnpackedSizeError, unpacked

__all__ = ["COMPRESSIONS", "is_parquet", "read_content", "regular_file"]

COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz")

_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
_PARQUET = b"PAR1"
# What else people take for text files, by its first bytes.
_OTHER = {
    _PARQUET: "Parquet, but compressed as a whole",
    b"PK\x03\x04": "a zip archive or an Excel sheet",
    b"PK\x05\x06": "an empty zip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xd0\xcf\x11\xe0": "an Excel sheet",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"\x89HDF": "HDF5",
    b"%PDF": "a PDF",
}


def regular_file(file: Path, key: str) -> None:
    """Raise DataError unless `file`, set by the config key `key`, is an existing regular file."""
    try:
        mode = file.stat().st_mode
    except FileNotFoundError as error:
        if file.is_symlink():
            raise DataError(f"{file} ({key}) is a link to nothing") from error
        raise DataError(f"{file} does not exist; {key} must name a file or directory") from error
    except (OSError, ValueError) as error:
        raise _unreadable(file, key, error) from error
    if not stat.S_ISREG(mode):
        raise DataError(f"{file} ({key}) is no regular file; pipes and devices cannot be read")


def is_parquet(file: Path, key: str) -> bool:
    """Return whether the first bytes of `file` are those of Parquet. Raises DataError."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(_PARQUET)) == _PARQUET
    except OSError as error:
        raise _unreadable(file, key, error) from error


def read_content(file: Path, key: str) -> bytes:
    """Return the bytes of `file`, decompressed if it is compressed, whatever its suffix.

    Raises:
        DataError: If the file cannot be read or decompressed completely, or is not text.
    """
    try:
        raw = file.read_bytes()
        content = _unpacked(raw)
    except (OSError, EOFError, lzma.LZMAError, pa.ArrowException, UnpackedSizeError) as error:
        raise _unreadable(file, key, error) from error
    if not content:
        raise DataError(f"{file} ({key}) is empty: it holds not even a header")
    for magic, name in {**_OTHER, **dict.fromkeys(_PACKED, "compressed twice")}.items():
        if content.startswith(magic):
            raise DataError(
                f"{file} ({key}) holds {name}; expected text, or text compressed with gzip, zstd, "
                "bzip2 or xz, or a Parquet file"
            )
    return content


def _unpacked(raw: bytes) -> bytes:
    for magic, codec in _PACKED.items():
        if raw.startswith(magic):
            if codec == "xz":
                return unpacked(lzma.LZMAFile(io.BytesIO(raw)), len(raw))
            with pa.CompressedInputStream(pa.BufferReader(raw), codec) as stream:
                return unpacked(stream, len(raw))
    return raw


def _unreadable(file: Path, key: str, error: Exception) -> DataError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DataError(f"{file} ({key}) cannot be read: {reason}")
