"""Models and their metrics as a table, in the direction that is easier to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from twotower.reporting.tables import aligned, plain_table
from twotower.types.metric_name import MetricName

__all__ = ["MOST_COLUMNS", "metric_table"]

MOST_COLUMNS = 4  # more metrics get a line each


def metric_table(
    title: str, models: Sequence[tuple[str, Mapping[str, str]]], metrics: Sequence[str]
) -> Table:
    """Return a line per model and a column per metric; transposed where metrics are many.

    Args:
        title: above the table.
        models: name, and texts such as `0.1641 ± 0.0494` by metric; one may be missing.
        metrics: names such as `ndcg_at_10`, or titles.
    """
    table = plain_table(title)
    texts = [[by_metric.get(metric, "") for metric in metrics] for _, by_metric in models]
    parsed = {metric: MetricName.parse(metric) for metric in metrics}
    across = [metric if name.k is None else name.title for metric, name in parsed.items()]
    down = [name for name, _ in models]
    if len(metrics) > MOST_COLUMNS and len(metrics) > len(models):
        across, down = down, across
        texts = [list(column) for column in zip(*texts, strict=True)]
    texts = aligned(texts)
    table.add_column("", no_wrap=True)
    for name in across:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for name, row in zip(down, texts, strict=True):
        table.add_row(Text(name), *map(Text, row))
    return table
