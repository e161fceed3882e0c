"""Read text files strictly: all columns as strings, or an error that names the faulty line."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from twotower.core.errors import ConfigError, DataError
from twotower.dataset.content import read_content
from twotower.dataset.text_faults import first_fault, is_dubious, line_of, rows_of

__all__ = ["TextFormat", "read_text"]

_TAB = re.compile(r"tab|\\+t")
_STAND_IN = "\x1f"  # the unit separator of ASCII, for separators of several characters
_HEAD = 4096  # bytes that show whether a file is binary
_BLOCK = 1 << 24  # bytes; a row must fit into it


@dataclass(frozen=True)
class TextFormat:
    """How a text file is written.

    separator: between fields, of one character or more; `tab` and `\\t` are a tab. None: by the
        suffix of the file.
    header: whether the first row holds names; else columns are called 1, 2, ...
    quote: the character around fields that hold a separator; None: there is none.
    encoding: a codec of Python.
    node: the config node of these keys, for messages; None: no key sets them.
    """

    separator: str | None
    header: bool
    quote: str | None
    encoding: str
    node: str | None = "dataset"

    def __post_init__(self) -> None:
        """Raise ConfigError for values that no file can be read with."""
        try:
            codecs.lookup(self.encoding)
            "".encode(self.encoding)
        except LookupError as error:
            raise ConfigError(
                f"{self.key('encoding')}: got {self.encoding!r}; must be an encoding of Python, "
                "such as utf-8, latin-1, utf-16"
            ) from error
        if self.separator is not None and re.search(r"^$|[\r\n\"\0]", self.separator):
            raise ConfigError(
                f"{self.key('separator')}: got {self.separator!r}; must be one or more characters "
                "other than quotes and line ends"
            )
        if self.quote is not None and (len(self.quote.encode()) != 1 or self.quote in "\r\n\0"):
            raise ConfigError(
                f"{self.key('quote')}: got {self.quote!r}; must be one ASCII character, or null: "
                "no quotes"
            )

    def key(self, name: str) -> str:
        """Return `name` as a key of the config: `dataset.separator`."""
        return f"{self.node}.{name}" if self.node else name

    @property
    def remedy(self) -> str:
        """The keys to change where a file does not fit."""
        keys = [self.key(name) for name in ("separator", "quote", "header")]
        return f", or set {', '.join(keys[:-1])} or {keys[-1]}" if self.node is not None else ""


def read_text(file: Path, key: str, text: TextFormat, separator: str) -> pl.DataFrame:
    """Strings stripped of white space around them, null where nothing is left; blank lines drop.

    separator: in place of `text.separator`, which may be None. Raises DataError for a file that
    cannot be read, and for the first row that has more or fewer fields than the first one.
    """
    where = f"{file} ({key})"
    content = _utf8(read_content(file, key), where, text)
    separator = "\t" if _TAB.fullmatch(separator) else separator
    if len(separator.encode()) > 1:
        content = content.replace(separator.encode(), _STAND_IN.encode())
        separator = _STAND_IN
    quote = text.quote if text.quote is not None and text.quote.encode() in content else None
    fields = _first_row(content, separator, quote, where)
    table = _parsed(content, separator, quote, len(fields))
    if table is None or (quote and is_dubious(content, separator, quote, table.num_rows)):
        fault = first_fault(content.decode(), separator, quote, len(fields))
        if fault is not None:
            raise DataError(f"{where}: {fault}; correct or remove it{text.remedy}")
        if table is None:
            raise DataError(f"{where} cannot be read as text{text.remedy}")
    frame = pl.DataFrame(pl.from_arrow(table, rechunk=False))
    spaces = {b" ", b"\t"} - {separator.encode()}
    if not content.isascii() or any(space in content for space in spaces):
        stripped = pl.all().str.strip_chars()
        frame = frame.with_columns(pl.when(stripped != "").then(stripped))
    return _named(frame, where, header=text.header)


def _utf8(content: bytes, where: str, text: TextFormat) -> bytes:
    """Convert `content` to UTF-8 without a byte order mark; raise DataError if it is not text."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        decoded = content.decode(text.encoding)
        if codecs.lookup(text.encoding).name != "utf-8":
            content = decoded.encode()
        content = content.removeprefix(codecs.BOM_UTF8)
    except UnicodeError as error:
        if not utf16 and b"\0" in content[:_HEAD]:
            raise DataError(f"{where} cannot be read: it is binary, no text") from error
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        found = "utf-16" if utf16 else "latin-1"
        remedy = f"; set {text.key('encoding')}, such as {found}" if text.node is not None else ""
        raise DataError(
            f"{where}: line {line_of(content, start)} is not {text.encoding}{remedy}"
        ) from error
    if (place := content.find(b"\0")) >= 0:
        raise DataError(
            f"{where}: line {line_of(content, place)} holds a NUL byte, which no text does: the "
            f"file is damaged or not {text.encoding}"
        )
    return content


def _first_row(content: bytes, separator: str, quote: str | None, where: str) -> list[str]:
    """Return the fields of the first row that is not blank."""
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")  # decodes as it is read
    try:
        for row in rows_of(lines, separator, quote, strict=False):
            if len(row) > 1 or (row and row[0].strip()):
                return row
    except csv.Error as error:
        raise DataError(f"{where} cannot be read as text: {error}") from error
    raise DataError(f"{where} is empty: it holds not even a header")


def _parsed(content: bytes, separator: str, quote: str | None, width: int) -> pa.Table | None:
    """Return all rows as columns of strings f0, f1, ...; None if one has not `width` fields."""

    def on_other_width(row: arrow_csv.InvalidRow) -> str:
        return "error" if row.text.strip() or separator in row.text else "skip"

    try:
        return arrow_csv.read_csv(
            pa.BufferReader(content),
            arrow_csv.ReadOptions(autogenerate_column_names=True, block_size=_BLOCK),
            arrow_csv.ParseOptions(
                delimiter=separator,
                quote_char=quote or False,
                newlines_in_values=quote is not None,
                invalid_row_handler=on_other_width,
            ),
            arrow_csv.ConvertOptions(
                column_types={f"f{place}": pa.string() for place in range(width)},
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowException:
        return None


def _named(frame: pl.DataFrame, where: str, *, header: bool) -> pl.DataFrame:
    if not header:
        return frame.rename({name: str(place) for place, name in enumerate(frame.columns, 1)})
    names = [name or "" for name in frame.row(0)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"{where}: the header names {', '.join(map(repr, repeated))} more than once; rename "
            "the columns"
        )
    return frame.slice(1).rename(dict(zip(frame.columns, names, strict=True)))
