"""The monitor by epoch, a line per trial."""

from __future__ import annotations

import polars as pl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
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
_DASHES = {"pruned": (0, (4, 2)), "diverged": (0, (1, 1.5)), "failed": (0, (1, 1.5))}


def learning_curves(table: SweepTable) -> Figure | None:
    """Draw the best settings in color, a dot at the best epoch; None if no epoch finished."""
    curves = {
        id(result): curve
        for result in table.results
        if (curve := _curve(result, table.monitor)).height
    }
    if not curves:
        return None
    figure = figure_of(8.6, 4.2, left=0.85, right=2.9, top=0.73)
    axes = figure.add_subplot()
    width = 1.0 if any(len(setting.results) > 1 for setting in table.settings) else 1.6
    named: list[tuple[Line2D, str]] = []
    for place, setting in enumerate(table.settings):
        colored = place < len(COLORS) and bool(setting.finished)
        color = COLORS[place] if colored else FAINT
        for result in setting.results:
            if id(result) not in curves:
                continue
            lines = _draw(axes, result, curves[id(result)], color)
            if colored:  # the best on top
                for artist in lines:
                    artist.set(linewidth=width, zorder=3 + (len(COLORS) - place) / 10)
        if colored:
            named.append(
                (_sample(color, 1.8), f"{place + 1}  {shortened(name(table, setting), _LONGEST)}")
            )
    named += _others(table)
    axes.set_xlabel("Epoch")
    axes.set_ylabel(validation_title(table.monitor))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_outside(axes, [line for line, _ in named], [words for _, words in named])
    tidy(axes, grid="y")
    entitle(
        figure,
        f"{validation_title(table.monitor)} by epoch",
        "one line per trial; dot: the best epoch",
    )
    best = table.best
    figure.set_label(
        f"{validation_title(table.monitor)} by epoch of {len(curves)} trials"
        + (f"; the best is {name(table, best)}." if best is not None else ".")
    )
    return figure


def _curve(result: TrialResult, monitor: str) -> pl.DataFrame:
    """Return `epoch` and `monitor` of the epochs that were evaluated."""
    if result.history is None or monitor not in result.history.columns:
        return pl.DataFrame()
    return result.history.select("epoch", monitor).drop_nulls().sort("epoch")


def _draw(axes: Axes, result: TrialResult, curve: pl.DataFrame, color: str) -> list[Artist]:
    """Draw the line, and a dot at the best epoch of a colored one."""
    epochs, values = curve["epoch"].to_list(), curve[:, 1].to_list()
    dashes = _DASHES.get(result.state, "solid")
    marker = "." if len(epochs) == 1 else ""
    drawn: list[Artist] = [
        *axes.plot(epochs, values, color=color, linewidth=0.9, linestyle=dashes, marker=marker)
    ]
    if color != FAINT and result.state == "finished":
        kept = max(range(len(values)), key=lambda n: values[n])
        drawn.append(axes.scatter([epochs[kept]], [values[kept]], s=22, color=color))
    return drawn


def _others(table: SweepTable) -> list[tuple[Line2D, str]]:
    """Return the legend of the grey lines that are drawn."""
    rest = table.settings[len(COLORS) :]
    states = {result.state for result in table.results if result.history is not None}
    others = [(_sample(FAINT, 0.9), "other trials")] if any(s.finished for s in rest) else []
    if "pruned" in states:
        others.append((_sample(FAINT, 0.9, _DASHES["pruned"]), "pruned"))
    if states & {"diverged", "failed"}:
        others.append((_sample(FAINT, 0.9, _DASHES["failed"]), "diverged or failed"))
    return others


def _sample(
    color: str, width: float, dashes: tuple[int, tuple[float, ...]] | None = None
) -> Line2D:
    return Line2D([], [], color=color, linewidth=width, linestyle=dashes or "solid")
