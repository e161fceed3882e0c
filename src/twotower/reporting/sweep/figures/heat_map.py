"""The mean of a metric over two keys, a cell per pair of values."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from twotower.core.numbers import score
from twotower.reporting.style import (
    BEST,
    MISSING,
    entitle,
    figure_of,
    shortened,
    tick,
    validation_title,
)
from twotower.sweeping.setting_result import SettingResult, repeat_words
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.varied import Varied

__all__ = ["heat_map"]

_CELL_WIDTH, _CELL_HEIGHT = 0.92, 0.55  # inches
# Viridis without its ends, on which text is hard to read.
_COLORS = ListedColormap(colormaps["viridis"](np.linspace(0.12, 0.97, 256)))


def heat_map(table: SweepTable, metric: str, x: Varied, y: Varied) -> Figure:
    """Draw the first key across and the second up; a cell is grey if no trial finished.

    If a third key varies, a cell shows its best value.
    """
    cells: dict[tuple[int, int], list[SettingResult]] = {}
    for setting in table.settings:
        if x.key in setting.varied and y.key in setting.varied:
            place = y.position(setting.varied[y.key]), x.position(setting.varied[x.key])
            cells.setdefault(place, []).append(setting)
    values = np.full((len(y.values), len(x.values)), np.nan)
    for place, settings in cells.items():
        means = [mean for setting in settings if (mean := setting.mean(metric)) is not None]
        values[place] = max(means, default=np.nan)
    labels, y_ticks = [*map(tick, x.values)], [*map(tick, y.values)]
    left = 0.55 + 0.085 * max(map(len, y_ticks))
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
        _write(axes, row, column, float(values[row, column]), cells.get((row, column), []), norm)
    row, column = map(int, np.unravel_index(np.nanargmax(values), values.shape))
    for color, line_width in (("white", 5.0), (BEST, 2.5)):  # the rim is visible on any color
        corner = column - 0.47, row - 0.46
        axes.add_patch(
            Rectangle(corner, 0.94, 0.92, fill=False, edgecolor=color, linewidth=line_width)
        )
    axes.set_xticks(range(len(labels)), labels, rotation=0 if max(map(len, labels)) < 9 else 20)
    axes.set_yticks(range(len(y_ticks)), y_ticks)
    axes.set(xlabel=x.label, ylabel=y.label)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    entitle(figure, validation_title(metric), _words(table))
    figure.set_label(
        f"{validation_title(metric)} for each {x.label} and {y.label}: best "
        f"{score(values[row, column])} at {x.label}={labels[column]} {y.label}={y_ticks[row]}."
    )
    return figure


def _write(
    axes: Axes, row: int, column: int, value: float, settings: list[SettingResult], norm: Normalize
) -> None:
    if np.isnan(value):
        states = dict.fromkeys(o.state for setting in settings for o in setting.results)
        text, color = next((state for state in states if state != "finished"), "–"), "0.35"
        patch = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=MISSING, edgecolor="none")
        axes.add_patch(patch)
    else:
        red, green, blue, _ = _COLORS(norm(value))
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        text, color = score(value), "black" if light else "white"
    axes.text(column, row, text, ha="center", va="center", color=color, fontsize="small")


def _words(table: SweepTable) -> str:
    rest = [table.labels[key] for key in table.keys[2:]]
    words = f"best over {', '.join(rest)}; framed: the best" if rest else "framed: the best"
    repeated = any(len(setting.results) > 1 for setting in table.settings)
    mean = f"mean over {repeat_words(table.results)}; " if repeated else ""
    return shortened(mean + words, 64)
