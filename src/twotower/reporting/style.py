"""Shared style of all figures. The palette of Okabe and Ito suits color blindness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from twotower.core.console import visible
from twotower.sweeping.varied import brief
from twotower.types.metric_name import MetricName

__all__ = [
    "BEST",
    "COLORS",
    "FAINT",
    "MAIN",
    "MISSING",
    "entitle",
    "figure_of",
    "legend_outside",
    "shortened",
    "tick",
    "tidy",
    "validation_title",
]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
MAIN, BEST = COLORS[0], COLORS[1]
FAINT, MISSING = "0.72", "0.88"

_LONGEST = 34  # characters of a setting's name in a key
_TICK = 14  # characters of a value next to an axis


def figure_of(width: float, height: float, *, left: float, right: float, top: float) -> Figure:
    """Return an empty figure with margins in inches; a layout engine takes half a second."""
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, top=1 - top / height, bottom=0.62 / height
    )
    return figure


def entitle(figure: Figure, title: str, words: str) -> None:
    """Add the title and, below it in small print, how to read the figure."""
    left, height = figure.subplotpars.left, figure.get_figheight()
    figure.text(left, 1 - 0.1 / height, title, va="top", fontsize="large")
    figure.text(left, 1 - 0.4 / height, words, va="top", color="0.35", fontsize=9)


def tidy(axes: Axes, *, grid: str = "both") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color="0.92", linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def legend_outside(
    axes: Axes, handles: Sequence[Line2D], labels: Sequence[str], **style: Any
) -> None:
    """Put a legend to the right of `axes`, where no line can hide it."""
    axes.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        frameon=False,
        fontsize=8.5,
        **style,
    )


def validation_title(metric: str) -> str:
    return f"{MetricName.parse(metric).title} on validation"


def shortened(name: str, longest: int = _LONGEST) -> str:
    """Return a name or value as a label: cut, without control characters or mathematics."""
    text = visible(name)
    text = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return text.replace("$", r"\$")


def tick(value: Any) -> str:
    """Return a value of a varied key as the label of a tick."""
    return shortened(brief(value), _TICK)
