"""How much of what trials differ by is due to each key."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from twotower.reporting.style import FAINT, MAIN, entitle, figure_of, shortened, tidy
from twotower.sweeping.sweep_table import SweepTable
from twotower.types.metric_name import MetricName

__all__ = ["importance_bars"]

_LEAST = 0.005  # a share below it would read 0%


def importance_bars(table: SweepTable, importance: Mapping[str, float]) -> Figure:
    """Draw a bar per key, the longest first, and a grey one for combinations of keys and noise.

    Args:
        importance: share of the variance by full key, see `twotower.reporting.sweep.importance`.
    """
    ordered = sorted(importance.items(), key=lambda item: -item[1])
    names = [shortened(table.labels.get(key, key)) for key, _ in ordered]
    shares = [share for _, share in ordered]
    together = 1 - sum(shares)
    colors = [MAIN] * len(names)
    if together > _LEAST:
        names, shares, colors = [*names, "combined, noise"], [*shares, together], [*colors, FAINT]
    left = 0.3 + 0.085 * max(len(name) for name in names)
    height = 0.38 * len(names) + 1.5
    figure = figure_of(max(6.6, left + 4.3), height, left=left, right=0.7, top=0.73)
    axes = figure.add_subplot()
    bars = axes.barh(names, shares, color=colors, height=0.62)
    axes.bar_label(bars, [f"{share:.0%}" for share in shares], padding=4, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, max(1.1 * max(shares), 0.1))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    monitor = MetricName.parse(table.monitor).title
    axes.set_xlabel(f"Share of the variance of {monitor} between trials")
    tidy(axes, grid="x")
    axes.tick_params(axis="y", length=0)
    entitle(figure, "What matters", "fANOVA: the share that each key explains alone")
    listed = ", ".join(f"{name} {share:.0%}" for name, share in zip(names, shares, strict=True))
    figure.set_label(f"Share of the variance of {monitor} by key: {listed}.")
    return figure
