"""The mean of a metric over one key."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from twotower.reporting.style import (
    BEST,
    FAINT,
    MAIN,
    entitle,
    figure_of,
    shortened,
    tidy,
    validation_title,
)
from twotower.reporting.sweep.cells import half_width, name
from twotower.sweeping.setting_result import SettingResult, repeat_words
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import MOST_CHOICES, Varied, brief

__all__ = ["line", "scale"]

_TICK = 14


def line(table: SweepTable, metric: str, axis: Varied) -> Figure:
    """Draw a mean with its bar per value, joined if values are numbers, and a dot per repeat."""
    having = [setting for setting in table.settings if axis.key in setting.varied]
    settings = [setting for setting in having if setting.mean(metric) is not None]
    settings.sort(key=lambda setting: axis.coordinate(setting.varied[axis.key]))
    places = [axis.coordinate(setting.varied[axis.key]) for setting in settings]
    means = [setting.mean(metric) or 0.0 for setting in settings]
    figure = figure_of(7.0, 4.2, left=0.85, right=0.25, top=0.73)
    axes = figure.add_subplot()
    _draw_repeats(axes, settings, metric, places)
    half_widths = [half_width(setting, metric) or 0.0 for setting in settings]
    axes.errorbar(
        places,
        means,
        yerr=half_widths if any(half_widths) else None,
        fmt="o-" if axis.numeric else "o",
        color=MAIN,
        capsize=4,
        linewidth=1.5,
        markersize=6,
        zorder=3,
    )
    best = max(range(len(means)), key=lambda position: means[position])
    place = [places[best]], [means[best]]
    axes.scatter(*place, s=150, facecolor="none", edgecolor=BEST, linewidth=2.2, zorder=4)
    scale(axes, "x", axis)
    axes.set_xlabel(axis.label)
    axes.set_ylabel(validation_title(metric))
    tidy(axes, grid="y")
    repeated = any(len(setting.results) > 1 for setting in settings)
    over = repeat_words(table.results) if repeated else ""
    entitle(figure, validation_title(metric), _words(over, any(half_widths)))
    figure.set_label(
        f"{validation_title(metric)} by {axis.label}: best {means[best]:.4f} at "
        f"{name(table, settings[best])}."
    )
    return figure


def scale(axes: Axes, which: str, axis: Varied) -> None:
    """Set the scale of `axis`, with ticks at its values if they are few."""
    along = axes.xaxis if which == "x" else axes.yaxis
    set_limits = axes.set_xlim if which == "x" else axes.set_ylim
    if axis.log:
        axes.set(**{f"{which}scale": "log"})
    if len(axis.values) <= MOST_CHOICES:
        ticks = [shortened(brief(value), _TICK) for value in axis.values]
        along.set_ticks([axis.coordinate(value) for value in axis.values], ticks)
        along.set_minor_locator(NullLocator())
        along.set_minor_formatter(NullFormatter())
    low, high = axis.coordinate(axis.values[0]), axis.coordinate(axis.values[-1])
    if low == high:
        set_limits(low - 1, high + 1)
    elif axis.log:
        room = math.exp(0.06 * math.log(high / low))
        set_limits(low / room, high * room)
    else:
        set_limits(low - 0.06 * (high - low), high + 0.06 * (high - low))


def _draw_repeats(
    axes: Axes, settings: list[SettingResult], metric: str, places: list[float]
) -> None:
    for place, setting in zip(places, settings, strict=True):
        values = [o.metrics[metric] for o in setting.finished if metric in o.metrics]
        if len(values) > 1:
            axes.scatter([place] * len(values), values, s=18, color=FAINT, zorder=2)


def _words(over: str, bars: bool) -> str:
    """Return the caption; `over`: what repeats the settings, empty without repeats."""
    bar = f"standard deviation over {over}" if over else "interval over users"
    words = f"mean ± {bar}; " if bars else ""
    return words + ("grey: each repeat; circled: the best" if over else "circled: the best")
