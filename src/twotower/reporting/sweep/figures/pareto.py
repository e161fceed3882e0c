"""The Pareto front of the monitor and another quantity, such as the number of parameters."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from twotower.reporting.numbers import human
from twotower.reporting.style import (
    FAINT,
    MAIN,
    entitle,
    figure_of,
    legend_outside,
    rank_of,
    shortened,
    tidy,
    validation_title,
)
from twotower.reporting.sweep.cells import name
from twotower.sweeping.setting_result import SettingResult
from twotower.sweeping.sweep_table import SweepTable
from twotower.types.metric_name import MetricName

__all__ = ["front_of", "pareto"]

_LISTED = 12  # lines that fit next to the axes
_TICKS = 9  # that fit below them
_WIDE = 8  # ratio above which small values overlap on a linear axis


def pareto(
    table: SweepTable, against: str, *, more_is_better: bool, log: bool = False
) -> Figure | None:
    """Draw the monitor against `against`, such as `model/parameters`, with a dot per setting.

    Settings on the Pareto front are joined, numbered by their row in the table, and named on the
    right. None if fewer than two settings have both values.
    """
    points = [
        (setting, x, y)
        for setting in table.settings
        if (x := setting.mean(against)) is not None
        and (y := setting.mean(table.monitor)) is not None
    ]
    if len(points) < 2 or against == table.monitor:
        return None
    front = front_of([(x if more_is_better else -x, y) for _, x, y in points])
    figure = figure_of(8.6, 4.2, left=0.85, right=2.9, top=0.73)
    axes = figure.add_subplot()
    others = [point for n, point in enumerate(points) if n not in front]
    axes.scatter([x for _, x, _ in others], [y for _, _, y in others], s=30, color=FAINT)
    best = sorted((points[n] for n in front), key=lambda point: point[1])
    _draw_front(axes, table, best, more_is_better=more_is_better)
    axes.margins(0.08)
    _name(axes, table, against)
    values = [x for _, x, _ in points]
    if log and min(values) > 0:
        _scale_by_ratio(axes, values)
    elif min(values) > 0 and max(values) >= _WIDE * min(values):
        _scale_by_magnitude(axes)
    tidy(axes)
    better = "higher" if more_is_better else "lower"
    entitle(
        figure,
        f"{MetricName.parse(table.monitor).title} against {MetricName.parse(against).title}",
        "numbered by row of the table: the Pareto front",
    )
    names = "; ".join(name(table, setting) for setting, _, _ in best)
    figure.set_label(
        f"{validation_title(table.monitor)} against {MetricName.parse(against).title} "
        f"({better} is better); Pareto front: {names}."
    )
    return figure


def front_of(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of the points that no other dominates; more is better in both.

    A point dominates another if it is not worse in either and better in one.
    """
    return [
        n
        for n, (x, y) in enumerate(points)
        if not any(a >= x and b >= y and (a > x or b > y) for a, b in points)
    ]


def _draw_front(
    axes: Axes,
    table: SweepTable,
    front: list[tuple[SettingResult, float, float]],
    *,
    more_is_better: bool,
) -> None:
    xs, ys = [x for _, x, _ in front], [y for _, _, y in front]
    steps = "steps-pre" if more_is_better else "steps-post"  # the best at that price
    axes.plot(xs, ys, color=MAIN, linewidth=1.2, alpha=0.6, drawstyle=steps)
    axes.scatter(xs, ys, s=140, color=MAIN, edgecolor="white", linewidth=1, zorder=3)
    keys: list[tuple[int, str]] = []
    for setting, x, y in front:
        rank = rank_of(table, setting)
        axes.annotate(
            f"{rank}", (x, y), ha="center", va="center", color="white", fontsize=7.5, zorder=4
        )
        keys.append((rank, shortened(name(table, setting))))
    keys.sort()
    lines = [f"{rank}  {name}" for rank, name in keys[:_LISTED]]
    lines += [f"and {len(keys) - _LISTED} more"] if len(keys) > _LISTED else []
    handles = [Line2D([], [], linestyle="none")] * len(lines)
    legend_outside(axes, handles, lines, handlelength=0, handletextpad=0)


def _name(axes: Axes, table: SweepTable, against: str) -> None:
    is_metric = MetricName.parse(against).part == "val"
    axes.set_xlabel(validation_title(against) if is_metric else MetricName.parse(against).title)
    axes.set_ylabel(validation_title(table.monitor))


def _scale_by_ratio(axes: Axes, values: Sequence[float]) -> None:
    """Use a log axis with ticks at `values`, without those too close to the one before."""
    axes.set_xscale("log")
    ticks: list[float] = []
    room = (max(values) / min(values)) ** (1 / _TICKS)
    for value in sorted(set(values)):
        if not ticks or value >= ticks[-1] * max(room, 1.001):
            ticks.append(value)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: human(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    if len(ticks) == 1:
        axes.set_xlim(ticks[0] / 2, ticks[0] * 2)


def _scale_by_magnitude(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
