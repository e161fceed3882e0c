"""The Pareto front of the monitor and another quantity, such as the number of parameters."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from twotower.core.numbers import human
from twotower.reporting.style import (
    FAINT,
    MAIN,
    entitle,
    figure_of,
    legend_outside,
    shortened,
    tidy,
    validation_title,
)
from twotower.reporting.sweep.cells import name
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
        (rank, x, y)
        for rank, setting in enumerate(table.settings, start=1)
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
    best = sorted((points[n] for n in front), key=lambda point: point[2])
    xs, ys = [x for _, x, _ in best], [y for _, _, y in best]
    steps = "steps-pre" if more_is_better else "steps-post"  # the best at that price
    axes.plot(xs, ys, color=MAIN, linewidth=1.2, alpha=0.6, drawstyle=steps)
    axes.scatter(xs, ys, s=140, color=MAIN, edgecolor="white", linewidth=1, zorder=3)
    for rank, x, y in best:
        axes.text(x, y, f"{rank}", ha="center", va="center", color="white", fontsize=7.5, zorder=4)
    names = {rank: name(table, table.settings[rank - 1]) for rank, _, _ in best}
    lines = [f"{rank}  {shortened(names[rank])}" for rank in sorted(names)[:_LISTED]]
    lines += [f"and {len(names) - _LISTED} more"] if len(names) > _LISTED else []
    handles = [Line2D([], [], linestyle="none")] * len(lines)
    legend_outside(axes, handles, lines, handlelength=0, handletextpad=0)
    axes.margins(0.08)
    values = sorted({x for _, x, _ in points})
    if values[0] > 0 and (log or values[-1] >= _WIDE * values[0]):
        _scale_by_ratio(axes, values)
    parsed, monitor = MetricName.parse(against), MetricName.parse(table.monitor)
    axes.set_xlabel(validation_title(against) if parsed.part == "val" else parsed.title)
    axes.set_ylabel(validation_title(table.monitor))
    tidy(axes)
    title = f"{monitor.title} against {parsed.title}"
    entitle(figure, title, "numbered by row of the table: the Pareto front")
    figure.set_label(
        f"{validation_title(table.monitor)} against {parsed.title} "
        f"({'higher' if more_is_better else 'lower'} is better); Pareto front: "
        f"{'; '.join(names.values())}."
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


def _scale_by_ratio(axes: Axes, values: Sequence[float]) -> None:
    """Use a log axis with ticks at `values`, without those too close to the one before."""
    axes.set_xscale("log")
    room = max((values[-1] / values[0]) ** (1 / _TICKS), 1.001)
    ticks = [values[0]]
    for value in values:
        if value >= ticks[-1] * room:
            ticks.append(value)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: human(value) if value >= 100 else f"{value:.3g}")
    )
    axes.xaxis.set_minor_locator(NullLocator())
    if len(ticks) == 1:
        axes.set_xlim(ticks[0] / 2, ticks[0] * 2)
