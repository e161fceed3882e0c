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

from twotower.types.metric_name import MetricName

EPOCH = "epoch"
_TRAIN_COLOR, _VALIDATION_COLOR, _BEST_COLOR = "#4c78a8", "#f58518", "#54a24b"
_GROUPS = 10
_WIDTH, _HEIGHT = 7.0, 4.2  # inches


def loss_curves(history: pl.DataFrame, best_epoch: int | None) -> Figure:
    """Train and validation loss by epoch; `best_epoch`, whose weights are kept, is marked."""
    figure, axes = _single()
    _draw(axes, history, "train/loss", label="train", color=_TRAIN_COLOR)
    _draw(axes, history, "val/loss", label="validation", color=_VALIDATION_COLOR)
    _mark_best(axes, best_epoch)
    _finish(axes, title="Loss by epoch", ylabel="Mean loss of the epoch")
    return figure


def metric_curves(history: pl.DataFrame, best_epoch: int | None) -> Figure:
    """Every validation metric but the loss by epoch, a panel for each metric, a line for each K."""
    panels = _by_metric(history)
    columns = min(len(panels), 3) or 1
    rows = max(-(-len(panels) // columns), 1)
    size = (max(4.0 * columns, _WIDTH), 3.2 * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    for position, (metric, names) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, position)
        for name, color in zip(names, _shades(len(names)), strict=True):
            _draw(axes, history, name, label=_cutoff(name), color=color)
        _mark_best(axes, best_epoch)
        _finish(axes, title=MetricName(metric).title, ylabel="")
    figure.suptitle("Validation metrics by epoch" if panels else "No validation metrics")
    return figure


def recommendation_popularity(recommended: Sequence[int], train: Sequence[int]) -> Figure:
    """Draw how closely recommendations follow popularity.

    Left: items in ten groups of equal size, the most popular first, with each group's share of
    train interactions and of recommendations. Right: both counts cumulated from the most frequent
    item on. The higher a curve, the fewer items receive most of the counts.

    Args:
        recommended: [n_items] how often each item was recommended.
        train: [n_items] how many interactions each item has in train.
    """
    recommendations = np.asarray(recommended, dtype=np.float64)
    interactions = np.asarray(train, dtype=np.float64)
    figure = Figure(figsize=(11.0, _HEIGHT + 0.3), layout="constrained")
    groups, piled = figure.subplots(1, 2)
    _draw_groups(groups, recommendations, interactions)
    _draw_piled(piled, recommendations, interactions)
    reached = int((recommendations > 0).sum())
    share = reached / max(len(recommendations), 1)
    figure.suptitle(
        f"Recommendations against popularity: {reached:,} of {len(recommendations):,} items "
        f"({share:.0%}) are recommended to somebody"
    )
    return figure


def _draw_groups(axes: Axes, recommended: np.ndarray, train: np.ndarray) -> None:
    order = np.argsort(-train, kind="stable")
    parts = [part for part in np.array_split(order, _GROUPS) if len(part)]
    positions = np.arange(len(parts))
    for offset, counts, label, color in (
        (-0.2, train, "train interactions", _TRAIN_COLOR),
        (0.2, recommended, "recommendations", _VALIDATION_COLOR),
    ):
        shares = [_share(counts[part].sum(), counts.sum()) for part in parts]
        axes.bar(positions + offset, shares, width=0.4, label=label, color=color)
    axes.set_xticks(positions, [f"{n + 1}" for n in positions])
    axes.set_xlabel("Tenth of the items, 1 = most popular in train")
    axes.set_ylabel("Share of the total")
    axes.set_title("Who gets recommended", fontsize="medium")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _tidy(axes)


def _draw_piled(axes: Axes, recommended: np.ndarray, train: np.ndarray) -> None:
    for counts, label, color in (
        (train, "train interactions", _TRAIN_COLOR),
        (recommended, "recommendations", _VALIDATION_COLOR),
    ):
        piled = np.concatenate([[0.0], np.cumsum(np.sort(counts)[::-1])])
        items = np.linspace(0, 1, len(piled))
        axes.plot(items, piled / max(piled[-1], 1.0), label=label, color=color, linewidth=2)
    axes.plot([0, 1], [0, 1], label="all items equally often", color="0.6", linestyle=":")
    axes.set_xlabel("Share of the items, most frequent first")
    axes.set_ylabel("Share of the total that they get")
    axes.set_title("How concentrated", fontsize="medium")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, loc="lower right")
    _tidy(axes)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _single() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    return figure, figure.add_subplot()


def _draw(axes: Axes, history: pl.DataFrame, name: str, *, label: str, color: str) -> None:
    """The values that are there, joined over epochs without one."""
    if name not in history.columns:
        return
    known = history.select(EPOCH, name).drop_nulls().sort(EPOCH)
    if known.height:
        axes.plot(known[EPOCH], known[name], label=label, color=color, marker="o", markersize=3)


def _mark_best(axes: Axes, best_epoch: int | None) -> None:
    if best_epoch is not None:
        label = f"kept: epoch {best_epoch}"
        axes.axvline(best_epoch, color=_BEST_COLOR, linestyle="--", linewidth=1, label=label)


def _finish(axes: Axes, *, title: str, ylabel: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("Epoch")
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if axes.get_legend_handles_labels()[0]:  # else matplotlib warns
        axes.legend(frameon=False, fontsize="small")
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def _by_metric(history: pl.DataFrame) -> dict[str, list[str]]:
    """`{"ndcg": ["val/ndcg_at_5", "val/ndcg_at_10"]}`, without metrics that have no value yet."""
    panels: dict[str, list[str]] = {}
    for name in history.columns:
        parsed = MetricName.parse(name)
        known = history[name].null_count() < history.height
        if parsed.part == "val" and parsed.metric != "loss" and known:
            panels.setdefault(parsed.metric, []).append(name)
    return {metric: sorted(names, key=_k) for metric, names in panels.items()}


def _k(name: str) -> int:
    """The K of `val/ndcg_at_10`; 0 for a metric without one."""
    return MetricName.parse(name).k or 0


def _cutoff(name: str) -> str:
    return f"@{_k(name)}" if _k(name) else "validation"


def _shades(count: int) -> list[str]:
    palette = ["#f58518", "#4c78a8", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#eeca3b"]
    return [palette[n % len(palette)] for n in range(count)]
