"""The mean of a metric over two keys, a cell per pair of values."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from twotower.reporting.style import (
    BEST,
    MISSING,
    entitle,
    figure_of,
    shortened,
    validation_title,
)
from twotower.sweeping.setting_result import SettingResult, repeat_words
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import Varied, brief

__all__ = ["heat_map"]

_CELL_WIDTH, _CELL_HEIGHT = 0.92, 0.55  # inches
_TICK = 14  # characters of a value beside an axis
# Viridis without its ends, on which text is hard to read.
_COLORS = ListedColormap(colormaps["viridis"](np.linspace(0.12, 0.97, 256)))


def heat_map(table: SweepTable, metric: str, x: Varied, y: Varied) -> Figure:
    """Draw the first key across and the second up; a cell is grey if no trial finished.

    If a third key varies, a cell shows its best value.
    """
    cells = _cells(table, x, y)
    values = np.full((len(y.values), len(x.values)), np.nan)
    for (row, column), settings in cells.items():
        means = [mean for setting in settings if (mean := setting.mean(metric)) is not None]
        values[row, column] = max(means, default=np.nan)
    longest = max(len(shortened(brief(value), _TICK)) for value in y.values)
    left = 0.55 + 0.085 * longest
    width = max(len(x.values) * _CELL_WIDTH, 3.2)
    height = max(len(y.values) * _CELL_HEIGHT, 1.2)
    figure = figure_of(left + width + 0.95, height + 1.35, left=left, right=0.95, top=0.73)
    axes = figure.add_subplot()
    norm = Normalize(float(np.nanmin(values)), float(np.nanmax(values)))
    image = axes.imshow(values, cmap=_COLORS, norm=norm, origin="lower", aspect="auto")
    bar = axes.inset_axes((1 + 0.14 / width, 0, 0.14 / width, 1))
    figure.colorbar(image, cax=bar)
    bar.tick_params(labelsize="small")
    bar.set_visible(norm.vmin != norm.vmax)
    for row, column in np.ndindex(values.shape):
        settings = cells.get((row, column), [])
        _write(axes, row, column, float(values[row, column]), settings, norm)
    _mark(axes, values)
    _name(axes, x, y)
    entitle(figure, validation_title(metric), _words(table))
    figure.set_label(_description(metric, values, x, y))
    return figure


def _cells(table: SweepTable, x: Varied, y: Varied) -> dict[tuple[int, int], list[SettingResult]]:
    cells: dict[tuple[int, int], list[SettingResult]] = {}
    for setting in table.settings:
        if x.key in setting.varied and y.key in setting.varied:
            place = y.position(setting.varied[y.key]), x.position(setting.varied[x.key])
            cells.setdefault(place, []).append(setting)
    return cells


def _write(
    axes: Axes, row: int, column: int, value: float, settings: list[SettingResult], norm: Normalize
) -> None:
    if np.isnan(value):
        states = dict.fromkeys(o.state for setting in settings for o in setting.results)
        missing = next((state for state in states if state != "finished"), "–")
        patch = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=MISSING, edgecolor="none")
        axes.add_patch(patch)
        text, color = missing, "0.35"
    else:
        red, green, blue, _ = _COLORS(norm(value))
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        text, color = f"{value:.4f}", "black" if light else "white"
    axes.text(column, row, text, ha="center", va="center", color=color, fontsize="small")


def _mark(axes: Axes, values: np.ndarray) -> None:
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    corner = float(column) - 0.47, float(row) - 0.46
    for color, width in (
        ("white", 5.0),
        (BEST, 2.5),
    ):  # the rim is visible on any color
        frame = Rectangle(corner, 0.94, 0.92, fill=False, edgecolor=color, linewidth=width)
        axes.add_patch(frame)


def _name(axes: Axes, x: Varied, y: Varied) -> None:
    ticks = [shortened(brief(value), _TICK) for value in x.values]
    longest = max(len(tick) for tick in ticks)
    axes.set_xticks(range(len(ticks)), ticks, rotation=0 if longest < 9 else 20)
    axes.set_yticks(range(len(y.values)), [shortened(brief(value), _TICK) for value in y.values])
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _words(table: SweepTable) -> str:
    rest = [table.labels[key] for key in table.keys[2:]]
    words = f"best over {', '.join(rest)}; framed: the best" if rest else "framed: the best"
    repeated = any(len(setting.results) > 1 for setting in table.settings)
    mean = f"mean over {repeat_words(table.results)}; " if repeated else ""
    return shortened(mean + words, 64)


def _description(metric: str, values: np.ndarray, x: Varied, y: Varied) -> str:
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    return (
        f"{validation_title(metric)} for each {x.label} and {y.label}: best "
        f"{values[row, column]:.4f} at {x.label}={brief(x.values[column])} "
        f"{y.label}={brief(y.values[row])}."
    )
