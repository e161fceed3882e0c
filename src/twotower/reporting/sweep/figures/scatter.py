"""The mean of a metric over two keys with many values."""

from __future__ import annotations

from matplotlib.figure import Figure

from twotower.reporting.style import BEST, FAINT, entitle, figure_of, validation_title
from twotower.reporting.sweep.cells import name
from twotower.reporting.sweep.figures.line import scale
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import Varied

__all__ = ["scatter"]


def scatter(table: SweepTable, metric: str, x: Varied, y: Varied) -> Figure:
    """Draw a dot per setting, colored by the mean; a cross if no trial finished."""
    settings = [s for s in table.settings if x.key in s.varied and y.key in s.varied]
    settings.sort(key=lambda setting: setting.mean(metric) or 0.0)  # the best on top
    known = [setting for setting in settings if setting.mean(metric) is not None]
    figure = figure_of(7.6, 4.8, left=1.0, right=1.0, top=0.73)
    axes = figure.add_subplot()
    for setting in settings:
        if setting not in known:
            place = x.coordinate(setting.varied[x.key]), y.coordinate(setting.varied[y.key])
            axes.scatter(*place, marker="x", color=FAINT, s=26)
    dots = axes.scatter(
        [x.coordinate(setting.varied[x.key]) for setting in known],
        [y.coordinate(setting.varied[y.key]) for setting in known],
        c=[setting.mean(metric) or 0.0 for setting in known],
        s=64,
        edgecolor="white",
        linewidth=0.6,
    )
    best = known[-1]
    place = x.coordinate(best.varied[x.key]), y.coordinate(best.varied[y.key])
    axes.scatter(*place, s=170, facecolor="none", edgecolor=BEST, linewidth=2.2)
    bar = axes.inset_axes((1.03, 0, 0.028, 1))
    figure.colorbar(dots, cax=bar)
    bar.tick_params(labelsize="small")
    scale(axes, "x", x)
    scale(axes, "y", y)
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    axes.grid(color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    crossed = "; crosses: did not finish" if len(known) < len(settings) else ""
    entitle(figure, validation_title(metric), f"one dot per setting; circled: the best{crossed}")
    figure.set_label(
        f"{validation_title(metric)} over {x.label} and {y.label}: best "
        f"{best.mean(metric):.4f} at {name(table, best)}."
    )
    return figure
