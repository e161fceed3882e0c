"""Tables in a terminal, whose names and digits are never cut off."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = ["aligned", "number_table", "plain_table", "print_whole", "width_of"]

_PLUS_MINUS = len(" ± 0.0000")
_LINE = 10_000  # wider than any table


def plain_table(title: str | None = None) -> Table:
    """Return a table without columns; `title` is shown in italics, on the left."""
    return Table(
        box=SIMPLE_HEAD,
        title=None if title is None else Text(title, style="italic"),
        title_justify="left",
        caption_justify="left",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def number_table(*columns: str) -> Table:
    """Return a table whose columns are aligned on the right."""
    table = plain_table()
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def width_of(table: Table, console: Console) -> Measurement:
    """Return the least and the greatest width of `table` in characters.

    Rich measures the least width by words, also in columns that are not wrapped: those get a least
    width of their own, that of their longest text.
    """
    for column in table.columns:
        if column.no_wrap:
            texts = [column.header, *column.cells]
            column.min_width = max(console.measure(text).maximum for text in texts)
    return Measurement.get(console, console.options.update(width=_LINE), table)


def print_whole(console: Console, table: Table) -> None:
    """Print `table`, in lines longer than the console rather than with names or digits cut off."""
    needed = width_of(table, console).maximum
    if needed > console.width:
        table.width = needed
    console.print(table, crop=False, no_wrap=True, overflow="ignore")


def aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Pad values without ± so that they align with those of their column that have one."""
    wide = [any("±" in text for text in column) for column in zip(*rows, strict=True)]
    return [
        [
            text + " " * _PLUS_MINUS if is_wide and text and "±" not in text else text
            for text, is_wide in zip(row, wide, strict=True)
        ]
        for row in rows
    ]
