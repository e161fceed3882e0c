"""Figures of a run, drawn without pyplot, whose global state threads would share.

A `history` has a column `epoch` and a column for each metric (`train/loss`, `val/loss`,
`val/ndcg_at_10`); nulls where an epoch has no value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from twotower.reporting.style import COLORS, tidy
from twotower.types.metric_name import MetricName

__all__ = ["loss_curves", "metric_curves", "recommendation_popularity"]

_GROUPS = 10
_WIDTH, _HEIGHT = 7.0, 4.2  # inches


def loss_curves(history: pl.DataFrame, best_epoch: int | None) -> Figure:
    """Draw train and validation loss by epoch; `best_epoch`, whose weights are kept, is marked."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    lines = {"train/loss": "train", "val/loss": "validation"}
    _draw(axes, history, lines, best_epoch)
    axes.set_title("Loss by epoch")
    axes.set_ylabel("Mean loss of the epoch")
    return figure


def metric_curves(history: pl.DataFrame, best_epoch: int | None) -> Figure:
    """Draw the validation metrics by epoch, a panel for each metric and a line for each K."""
    panels: dict[str, dict[str, int]] = {}
    for name in history.columns:
        parsed = MetricName.parse(name)
        known = history[name].null_count() < history.height
        if parsed.part == "val" and parsed.metric != "loss" and known:
            panels.setdefault(parsed.metric, {})[name] = parsed.k or 0
    columns = min(len(panels), 3) or 1
    rows = max(-(-len(panels) // columns), 1)
    size = (max(4.0 * columns, _WIDTH), 3.2 * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    for position, (metric, by_name) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, position)
        names = sorted(by_name, key=by_name.__getitem__)
        lines = {name: f"@{by_name[name]}" if by_name[name] else "validation" for name in names}
        _draw(axes, history, lines, best_epoch)
        axes.set_title(MetricName(metric).title)
    figure.suptitle("Validation metrics by epoch" if panels else "No validation metrics")
    return figure


def recommendation_popularity(recommended: Sequence[int], train: Sequence[int]) -> Figure:
    """Draw how closely recommendations follow popularity.

    Left: items in ten groups of equal size, the most popular first, with each group's share of
    train interactions and of recommendations. Right: both counts cumulated from the most frequent
    item on. The higher a curve, the fewer items receive most of the counts.

    Args:
        recommended: `[n_items]`, how often each item was recommended.
        train: `[n_items]`, how many interactions each item has in train.
    """
    counts = {
        "train interactions": np.asarray(train, dtype=np.float64),
        "recommendations": np.asarray(recommended, dtype=np.float64),
    }
    figure = Figure(figsize=(11.0, _HEIGHT + 0.3), layout="constrained")
    groups, cumulated = figure.subplots(1, 2)
    order = np.argsort(-counts["train interactions"], kind="stable")
    parts = [part for part in np.array_split(order, _GROUPS) if len(part)]
    for n, (label, values) in enumerate(counts.items()):
        total = max(values.sum(), 1.0)
        shares = [values[part].sum() / total for part in parts]
        groups.bar(np.arange(len(parts)) - 0.2 + 0.4 * n, shares, 0.4, label=label, color=COLORS[n])
        reached = np.cumsum(np.sort(values)[::-1]) / total
        items = np.linspace(0, 1, len(values) + 1)
        cumulated.plot(items, [0, *reached], label=label, color=COLORS[n], linewidth=2)
    groups.set_xticks(range(len(parts)), [f"{n + 1}" for n in range(len(parts))])
    _label(groups, "Tenth of the items, 1 = most popular in train", "Share of the total")
    cumulated.plot([0, 1], [0, 1], label="all items equally often", color="0.6", linestyle=":")
    cumulated.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    cumulated.set(xlim=(0, 1), ylim=(0, 1.02))
    _label(cumulated, "Share of the items, most frequent first", "Share of the total that they get")
    n_items, n_reached = len(recommended), int((counts["recommendations"] > 0).sum())
    figure.suptitle(
        f"Recommendations against popularity: {n_reached:,} of {n_items:,} items "
        f"({n_reached / max(n_items, 1):.0%}) are recommended to somebody"
    )
    return figure


def _draw(
    axes: Axes, history: pl.DataFrame, labels: dict[str, str], best_epoch: int | None
) -> None:
    """Draw the values by epoch, joined over epochs without one, and mark the best epoch."""
    for n, (name, label) in enumerate(labels.items()):
        if name in history.columns:
            known = history.select("epoch", name).drop_nulls().sort("epoch")
            color = COLORS[n % len(COLORS)]
            if known.height:
                axes.plot(*known, label=label, color=color, marker="o", markersize=3)
    if best_epoch is not None:
        label = f"kept: epoch {best_epoch}"
        axes.axvline(best_epoch, color="0.35", linestyle="--", linewidth=1, label=label)
    axes.set_xlabel("Epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if axes.get_legend_handles_labels()[0]:  # else matplotlib warns
        axes.legend(frameon=False, fontsize="small")
    tidy(axes, grid="y")


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False)
    tidy(axes, grid="y")
