"""Figures of a sweep, drawn without pyplot, whose global state is not thread-safe.

The label of a figure (`figure.get_label()`) describes it in words, as its alternative text.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from twotower.reporting.sweep.figures.importance_bars import importance_bars
from twotower.reporting.sweep.figures.learning import learning_curves
from twotower.reporting.sweep.figures.pareto import pareto
from twotower.reporting.sweep.figures.settings import settings_map
from twotower.sweeping.sweep_table import SweepTable
from twotower.types.metric_name import MetricName

__all__ = ["importance_bars", "learning_curves", "pareto", "settings_map", "sweep_figures"]


def sweep_figures(table: SweepTable, importance: Mapping[str, float] | None) -> dict[str, Figure]:
    """Return the figures that `table` has data for, by a name that can name a file.

    Args:
        importance: by full key, see `twotower.reporting.sweep.importance`; None if not known.
    """
    found: dict[str, Figure | None] = {}
    for metric in table.shown:
        found[f"settings_{MetricName.parse(metric).bare}"] = settings_map(table, metric)
    found["learning_curves"] = learning_curves(table)
    if importance:
        found["importance"] = importance_bars(table, importance)
    for metric in table.shown:
        if MetricName.parse(metric).metric == "coverage":
            found["pareto_coverage"] = pareto(table, metric, more_is_better=True)
    found["pareto_parameters"] = pareto(table, "model/parameters", more_is_better=False, log=True)
    found["pareto_seconds"] = pareto(table, "train/seconds", more_is_better=False)
    return {name: figure for name, figure in found.items() if figure is not None}
