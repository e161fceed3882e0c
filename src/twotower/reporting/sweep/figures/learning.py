"""The monitor by epoch, a line per trial."""

from __future__ import annotations

import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from twotower.reporting.style import (
    COLORS,
    FAINT,
    entitle,
    figure_of,
    legend_outside,
    shortened,
    tidy,
    validation_title,
)
from twotower.reporting.sweep.cells import name
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.trial_result import TrialResult

__all__ = ["learning_curves"]

_LONGEST = 31  # characters of a name in the legend
_LOST = (0, (1, 1.5))
_GREY = {
    "finished": "other trials",
    "pruned": "pruned",
    "diverged": "diverged or failed",
    "failed": "diverged or failed",
}
_DASHES = {"pruned": (0, (4, 2)), "diverged": _LOST, "failed": _LOST}


def learning_curves(table: SweepTable) -> Figure | None:
    """Draw the best settings in color, a dot at the best epoch; None if no epoch finished."""
    figure = figure_of(8.6, 4.2, left=0.85, right=2.9, top=0.73)
    axes = figure.add_subplot()
    best_width = 1.0 if any(len(setting.results) > 1 for setting in table.settings) else 1.6
    legend: dict[str, Line2D] = {}
    n_curves = 0
    for place, setting in enumerate(table.settings):
        colored = place < len(COLORS) and bool(setting.finished)
        color, width = (COLORS[place], best_width) if colored else (FAINT, 0.9)
        order = 3 + (len(COLORS) - place) / 10 if colored else 2  # the best on top
        for result in setting.results:
            curve = _curve(result, table.monitor)
            if not curve.height:
                continue
            n_curves += 1
            (drawn,) = axes.plot(
                *curve,
                color=color,
                linewidth=width,
                linestyle=_DASHES.get(result.state, "solid"),
                marker="." if curve.height == 1 else "",
                zorder=order,
            )
            if colored and result.state == "finished":
                epoch, value = curve.row(int(curve[:, 1].arg_max() or 0))
                axes.scatter(epoch, value, s=22, color=color, zorder=order)
            if not colored:
                legend.setdefault(_GREY[result.state], drawn)
        if colored:
            words = f"{place + 1}  {shortened(name(table, setting), _LONGEST)}"
            legend[words] = Line2D([], [], color=color, linewidth=1.8)
    if not n_curves:
        return None
    title = validation_title(table.monitor)
    axes.set(xlabel="Epoch", ylabel=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_outside(axes, list(legend.values()), list(legend))
    tidy(axes, grid="y")
    entitle(figure, f"{title} by epoch", "one line per trial; dot: the best epoch")
    best = f"; the best is {name(table, table.best)}." if table.best is not None else "."
    figure.set_label(f"{title} by epoch of {n_curves} trials{best}")
    return figure


def _curve(result: TrialResult, monitor: str) -> pl.DataFrame:
    """Return `epoch` and `monitor` of the epochs that were evaluated."""
    if result.history is None or monitor not in result.history.columns:
        return pl.DataFrame()
    return result.history.select("epoch", monitor).drop_nulls().sort("epoch")
