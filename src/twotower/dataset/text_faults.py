"""Find the fault in a text file: a slow, strict parse of files that the fast parser rejects."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["first_fault", "is_dubious", "line_of", "rows_of"]

_SHOWN = 60  # characters of a line in a message


def line_of(content: bytes, place: int) -> int:
    """Return the line, counted from 1, of the byte at `place`."""
    return content.count(b"\n", 0, place) + 1


def is_dubious(content: bytes, separator: str, quote: str, n_rows: int) -> bool:
    """Return whether a quote may be unbalanced: a row spans lines or continues after a quote."""
    n_lines = sum(1 for line in content.splitlines() if line.strip() or separator.encode() in line)
    if n_lines != n_rows:
        return True
    sep, mark = re.escape(separator.encode()), re.escape(quote.encode())
    after = rb"(?:^|%b)%b[^%b\r\n]*%b(?![%b%b\r\n]|\Z)" % (sep, mark, mark, mark, mark, sep)
    return re.search(after, content, re.MULTILINE) is not None


def rows_of(lines: io.TextIOBase, separator: str, quote: str | None, *, strict: bool) -> Reader:
    """Python's own reader; strict: it raises csv.Error where a quote has no partner."""
    return csv.reader(
        lines,
        delimiter=separator,
        quotechar=quote,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        strict=strict,
    )


def first_fault(text: str, separator: str, quote: str | None, width: int) -> str | None:
    """Return what is wrong with the first row that is misquoted or does not have `width` fields.

    None if no row is wrong.
    """
    reader = rows_of(io.StringIO(text, newline=""), separator, quote, strict=True)
    start = 1  # the line that the row begins on
    try:
        for row in reader:
            if len(row) != width and (len(row) > 1 or (row and row[0].strip())):
                shown = separator.join(row)[:_SHOWN]
                broken = len(row) < width and next(reader, None) is None
                last = " (the file may have been cut off here)" if broken else ""
                fields = f"{len(row)} field{'s' if len(row) > 1 else ''}"
                return f"line {start} has {fields}, the first row has {width}{last}: {shown!r}"
            start = reader.line_num + 1
    except csv.Error as error:
        shown = text.splitlines()[start - 1][:_SHOWN]
        return f"line {start} begins a row with an unbalanced quote ({error}): {shown!r}"
    return None
