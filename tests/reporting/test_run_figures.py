from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twotower.reporting.run_figures import loss_curves, metric_curves, recommendation_popularity

HISTORY = pl.DataFrame(
    {
        "epoch": [0, 1, 2, 3],
        "train/loss": [0.7, 0.6, 0.5, 0.4],
        "val/loss": [0.8, None, 0.6, None],
        "val/ndcg_at_10": [0.1, None, 0.2, None],
        "val/ndcg_at_5": [0.05, None, 0.1, None],
        "val/coverage_at_10": [0.3, None, 0.4, None],
        "val/mrr_at_10": [None, None, None, None],
    },
    schema_overrides={"val/mrr_at_10": pl.Float64},
)


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def lines(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata()))  # type: ignore[arg-type]
        for line in axes.get_lines()
    }


def heights(axes: Axes, series: int) -> list[float]:
    return [float(bar.get_height()) for bar in axes.containers[series]]


def test_losses_and_the_kept_epoch() -> None:
    (axes,) = loss_curves(HISTORY, best_epoch=2).axes
    drawn = lines(axes)
    assert drawn["train"] == ([0, 1, 2, 3], [0.7, 0.6, 0.5, 0.4])
    assert drawn["validation"] == ([0, 2], [0.8, 0.6])  # joined over the epochs without a value
    assert drawn["kept: epoch 2"][0] == [2, 2]
    assert (axes.get_title(), axes.get_xlabel()) == ("Loss by epoch", "Epoch")
    assert axes.get_ylabel() == "Mean loss of the epoch"


def test_a_run_without_validation() -> None:
    (axes,) = loss_curves(HISTORY.drop("val/loss"), best_epoch=None).axes
    assert list(lines(axes)) == ["train"]
    assert metric_curves(HISTORY.select("epoch", "train/loss"), best_epoch=None).axes == []


def test_a_panel_for_each_metric_with_a_line_for_each_k() -> None:
    panels = metric_curves(HISTORY, best_epoch=2).axes
    assert [panel.get_title() for panel in panels] == ["NDCG", "Coverage"]
    assert list(lines(panels[0])) == ["@5", "@10", "kept: epoch 2"]
    assert lines(panels[0])["@10"] == ([0, 2], [0.1, 0.2])


def test_shares_of_popular_and_rare_items() -> None:
    # 20 items, ten groups of two. Train: 40 + 40 + 18 x 2 = 116 interactions.
    train = [40, 40] + [2] * 18
    recommended = [0, 0, 30, 10] + [0] * 16
    shares, piled = recommendation_popularity(recommended, train).axes
    assert heights(shares, 0) == pytest.approx([80 / 116] + [4 / 116] * 9)
    assert heights(shares, 1) == pytest.approx([0, 1] + [0] * 8)
    # Piled up from the most recommended on: 30 of 40, then all.
    x, y = lines(piled)["recommendations"]
    assert x[:3] == pytest.approx([0, 0.05, 0.1])
    assert y == pytest.approx([0, 0.75] + [1] * 19)
    assert lines(piled)["train interactions"][1][:3] == pytest.approx([0, 40 / 116, 80 / 116])


def test_how_many_items_are_reached() -> None:
    figure = recommendation_popularity([3, 0, 1, 0], [4, 3, 2, 1])
    assert figure.get_suptitle() == (
        "Recommendations against popularity: 2 of 4 items (50%) are recommended to somebody"
    )


@pytest.mark.parametrize("counts", [[], [0], [0, 0, 0], [5]])
def test_few_items_or_no_recommendations(counts: Sequence[int]) -> None:
    assert png(recommendation_popularity(counts, counts)).startswith(b"\x89PNG")


@pytest.mark.parametrize("rows", [0, 1, 4])
def test_short_histories_are_drawn_without_a_warning(rows: int) -> None:
    history = HISTORY.head(rows)
    assert png(loss_curves(history, None)).startswith(b"\x89PNG")
    assert png(metric_curves(history, 0 if rows else None)).startswith(b"\x89PNG")


def test_pyplot_is_not_touched() -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    loss_curves(HISTORY, best_epoch=2)
    assert sys.modules.get("matplotlib.pyplot") is pyplot
    assert pyplot is None or pyplot.get_fignums() == []
