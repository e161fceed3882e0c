"""The mean of a metric over one key, or over two that have many values."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from twotower.core.numbers import score
from twotower.reporting.style import (
    BEST,
    FAINT,
    MAIN,
    entitle,
    figure_of,
    tick,
    tidy,
    validation_title,
)
from twotower.reporting.sweep.cells import half_width, name
from twotower.sweeping.setting_result import repeat_words
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import MOST_CHOICES, Varied

__all__ = ["line", "scatter"]


def line(table: SweepTable, metric: str, axis: Varied) -> Figure:
    """Draw a mean with its bar per value, joined if values are numbers, and a dot per repeat."""
    settings = [s for s in table.settings if axis.key in s.varied and s.mean(metric) is not None]
    settings.sort(key=lambda setting: axis.coordinate(setting.varied[axis.key]))
    places = [axis.coordinate(setting.varied[axis.key]) for setting in settings]
    means = [setting.mean(metric) or 0.0 for setting in settings]
    half_widths = [half_width(setting, metric) or 0.0 for setting in settings]
    bars = any(half_widths)
    figure = figure_of(7.0, 4.2, left=0.85, right=0.25, top=0.73)
    axes = figure.add_subplot()
    for place, setting in zip(places, settings, strict=True):
        values = [o.metrics[metric] for o in setting.finished if metric in o.metrics]
        if len(values) > 1:
            axes.scatter([place] * len(values), values, s=18, color=FAINT, zorder=2)
    axes.errorbar(
        places,
        means,
        yerr=half_widths if bars else None,
        fmt="o-" if axis.numeric else "o",
        color=MAIN,
        capsize=4,
        linewidth=1.5,
        markersize=6,
        zorder=3,
    )
    best = means.index(max(means))
    axes.scatter(
        places[best], means[best], s=150, facecolor="none", edgecolor=BEST, linewidth=2.2, zorder=4
    )
    _scale(axes, "x", axis)
    axes.set(xlabel=axis.label, ylabel=validation_title(metric))
    tidy(axes, grid="y")
    repeated = any(len(setting.results) > 1 for setting in settings)
    over = repeat_words(table.results) if repeated else ""
    around = f"standard deviation over {over}" if over else "interval over users"
    words = f"mean ± {around}; " if bars else ""
    words += "grey: each repeat; circled: the best" if over else "circled: the best"
    entitle(figure, validation_title(metric), words)
    figure.set_label(
        f"{validation_title(metric)} by {axis.label}: best {score(means[best])} at "
        f"{name(table, settings[best])}."
    )
    return figure


def scatter(table: SweepTable, metric: str, x: Varied, y: Varied) -> Figure:
    """Draw a dot per setting, colored by the mean; a cross if no trial finished."""
    settings = [s for s in table.settings if x.key in s.varied and y.key in s.varied]
    settings.sort(key=lambda setting: setting.mean(metric) or 0.0)  # the best on top
    at = [(x.coordinate(s.varied[x.key]), y.coordinate(s.varied[y.key])) for s in settings]
    means = [setting.mean(metric) for setting in settings]
    known = [(*place, mean) for place, mean in zip(at, means, strict=True) if mean is not None]
    figure = figure_of(7.6, 4.8, left=1.0, right=1.0, top=0.73)
    axes = figure.add_subplot()
    for place, mean in zip(at, means, strict=True):
        if mean is None:
            axes.scatter(*place, marker="x", color=FAINT, s=26)
    xs, ys, colors = zip(*known, strict=True)
    dots = axes.scatter(xs, ys, c=colors, s=64, edgecolor="white", linewidth=0.6)
    axes.scatter(xs[-1], ys[-1], s=170, facecolor="none", edgecolor=BEST, linewidth=2.2)
    bar = axes.inset_axes((1.03, 0, 0.028, 1))
    figure.colorbar(dots, cax=bar)
    bar.tick_params(labelsize="small")
    _scale(axes, "x", x)
    _scale(axes, "y", y)
    axes.set(xlabel=x.label, ylabel=y.label)
    tidy(axes)
    crossed = "; crosses: did not finish" if len(known) < len(settings) else ""
    entitle(figure, validation_title(metric), f"one dot per setting; circled: the best{crossed}")
    figure.set_label(
        f"{validation_title(metric)} over {x.label} and {y.label}: best {score(colors[-1])} at "
        f"{name(table, settings[-1])}."
    )
    return figure


def _scale(axes: Axes, which: str, axis: Varied) -> None:
    """Set the scale of `axis`, with ticks at its values if they are few."""
    if axis.log:
        axes.set(**{f"{which}scale": "log"})
    if len(axis.values) <= MOST_CHOICES:
        along = axes.xaxis if which == "x" else axes.yaxis
        along.set_ticks([*map(axis.coordinate, axis.values)], [*map(tick, axis.values)])
        along.set_minor_locator(NullLocator())
        along.set_minor_formatter(NullFormatter())
    low, high = axis.coordinate(axis.values[0]), axis.coordinate(axis.values[-1])
    if axis.log:
        room = math.exp(0.06 * math.log(high / low))
        low, high = low / room, high * room
    else:
        room = 0.06 * (high - low) or 1
        low, high = low - room, high + room
    axes.set(**{f"{which}lim": (low, high)})
