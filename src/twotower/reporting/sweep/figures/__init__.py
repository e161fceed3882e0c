"""Figures of a sweep, drawn without pyplot, whose global state is not thread-safe.

The label of a figure (`figure.get_label()`) describes it in words, as its alternative text.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from twotower.reporting.sweep.figures.heat_map import heat_map
from twotower.reporting.sweep.figures.learning import learning_curves
from twotower.reporting.sweep.figures.line import line, scatter
from twotower.reporting.sweep.figures.pareto import pareto
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import MOST_CHOICES, varied_of
from twotower.types.metric_name import MetricName

__all__ = ["learning_curves", "pareto", "settings_map", "sweep_figures"]


def sweep_figures(table: SweepTable) -> dict[str, Figure]:
    """Return the figures that `table` has data for, by a name that can name a file."""
    found: dict[str, Figure | None] = {}
    for metric in table.shown:
        found[f"settings_{MetricName.parse(metric).bare}"] = settings_map(table, metric)
    found["learning_curves"] = learning_curves(table)
    for metric in table.shown:
        if MetricName.parse(metric).metric == "coverage":
            found["pareto_coverage"] = pareto(table, metric, more_is_better=True)
    found["pareto_parameters"] = pareto(table, "model/parameters", more_is_better=False, log=True)
    found["pareto_seconds"] = pareto(table, "train/seconds", more_is_better=False)
    return {name: figure for name, figure in found.items() if figure is not None}


def settings_map(table: SweepTable, metric: str) -> Figure | None:
    """Draw `metric`, such as `val/ndcg_at_10`, over the first one or two varied keys.

    A heat map, a line, or a scatter of drawn numbers. None if nothing but the seed varies, or no
    finished trial has the metric.
    """
    shown = [setting for setting in table.settings if setting.varied.keys() >= set(table.keys[:2])]
    known = any(setting.mean(metric) is not None for setting in shown)
    axes = [varied_of(table, key) for key in table.keys[:2]]
    if not axes or not known:
        return None
    if len(axes) == 1:
        return line(table, metric, axes[0])
    x, y = axes
    drawn = max(len(x.values), len(y.values)) > MOST_CHOICES
    return (scatter if drawn else heat_map)(table, metric, x, y)
