"""Models and their metrics side by side, in whichever direction is readable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from twotower.types.metric_name import MetricName

__all__ = ["MOST_COLUMNS", "metric_table", "print_whole"]

MOST_COLUMNS = 4  # more metrics get a line each
_PLUS_MINUS = len(" ± 0.0000")
_LINE = 10_000  # wider than any table


def metric_table(
    title: str, models: Sequence[tuple[str, Mapping[str, str]]], metrics: Sequence[str]
) -> Table:
    """A line per model and a column per metric; where metrics are many, the other way round.

    Args:
        title: above the table.
        models: name, and texts such as `0.1641 ± 0.0494` by metric; one may be missing.
        metrics: names such as `ndcg_at_10`, or titles.
    """
    table = Table(
        box=SIMPLE_HEAD,
        title=Text(title, style="italic"),
        title_justify="left",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    texts = [[by_metric.get(metric, "") for metric in metrics] for _, by_metric in models]
    parsed = {metric: MetricName.parse(metric) for metric in metrics}
    across = [metric if name.k is None else name.title for metric, name in parsed.items()]
    down = [name for name, _ in models]
    if len(metrics) > MOST_COLUMNS and len(metrics) > len(models):
        across, down = down, across
        texts = [list(column) for column in zip(*texts, strict=True)]
    texts = _aligned(texts)
    table.add_column("", no_wrap=True)
    for name in across:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for name, row in zip(down, texts, strict=True):
        table.add_row(Text(name), *map(Text, row))
    return table


def print_whole(console: Console, table: Table) -> None:
    """Print `table`, in lines longer than the console rather than with names or digits cut off."""
    needed = Measurement.get(console, console.options.update(width=_LINE), table).maximum
    if needed > console.width:
        table.width = needed
    console.print(table, crop=False, no_wrap=True, overflow="ignore")


def _aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Values without an interval are aligned with those of their column that have one."""
    wide = [any("±" in text for text in column) for column in zip(*rows, strict=True)]
    return [
        [
            text + " " * _PLUS_MINUS if is_wide and text and "±" not in text else text
            for text, is_wide in zip(row, wide, strict=True)
        ]
        for row in rows
    ]
