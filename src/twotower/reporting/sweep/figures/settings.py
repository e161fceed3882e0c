"""The mean of a metric over what varies: a heat map, a line, or a scatter of drawn numbers."""

from __future__ import annotations

from matplotlib.figure import Figure

from twotower.reporting.sweep.figures.heat_map import heat_map
from twotower.reporting.sweep.figures.line import line
from twotower.reporting.sweep.figures.scatter import scatter
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import MOST_CHOICES, varied_of

__all__ = ["settings_map"]


def settings_map(table: SweepTable, metric: str) -> Figure | None:
    """Draw `metric`, such as `val/ndcg_at_10`, over the first one or two varied keys.

    None if nothing but the seed varies, or no finished trial has the metric.
    """
    shown = [setting for setting in table.settings if setting.varied.keys() >= set(table.keys[:2])]
    known = any(setting.mean(metric) is not None for setting in shown)
    axes = [varied_of(table, key) for key in table.keys]
    if not axes or not known:
        return None
    if len(axes) == 1:
        return line(table, metric, axes[0])
    x, y = axes[:2]
    if max(len(x.values), len(y.values)) <= MOST_CHOICES:
        return heat_map(table, metric, x, y)
    return scatter(table, metric, x, y)
