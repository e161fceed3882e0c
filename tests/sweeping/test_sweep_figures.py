"""Figures of a sweep hold what the table holds."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from sweep_examples import MONITOR, drawn, grid, trial_result  # type: ignore[import-not-found]

from twotower.reporting.sweep.figures import (
    learning_curves,
    pareto,
    settings_map,
    sweep_figures,
)
from twotower.reporting.sweep.figures.pareto import front_of
from twotower.sweeping.sweep_table import SweepTable


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def dots(axes: Axes) -> list[list[tuple[float, float]]]:
    """The points of each collection that has any."""
    collections = [c for c in axes.collections if isinstance(c, PathCollection)]
    return [[(float(x), float(y)) for x, y in np.asarray(c.get_offsets())] for c in collections]


def xs(line: Line2D) -> list[float]:
    return [float(x) for x in np.asarray(line.get_xdata())]


def ys(line: Line2D) -> list[float]:
    return [float(y) for y in np.asarray(line.get_ydata())]


def legend(axes: Axes) -> list[str]:
    found = axes.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def words(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.texts)


def drawn_map(table: SweepTable, metric: str = MONITOR) -> Figure:
    figure = settings_map(table, metric)
    assert figure is not None
    return figure


def overlapping(figure: Figure, axes: Axes) -> list[str]:
    """Return the texts outside the axes that overlap the previous one or leave the figure."""
    figure.draw_without_rendering()
    wrong = []
    for axis in (axes.xaxis, axes.yaxis):
        labels = [label for label in axis.get_ticklabels() if label.get_text()]
        boxes = [label.get_window_extent() for label in labels]
        pairs = zip(boxes, boxes[1:], labels[1:], strict=False)
        wrong += [label.get_text() for one, other, label in pairs if one.overlaps(other)]
    found = axes.get_legend()
    if found is not None and found.get_window_extent().x1 > figure.bbox.x1:
        wrong.append("legend")
    for text in figure.texts:
        box = text.get_window_extent()
        if box.x1 > figure.bbox.x1 or box.y1 > figure.bbox.y1:
            wrong.append(text.get_text())
    return wrong


def test_a_cell_for_each_pair_and_the_best_is_framed() -> None:
    # The monitor is 0.1 + log2(dim) / 100 + negatives / 1000.
    figure = drawn_map(grid([64, 16, 32], [5, 1]))
    axes = figure.axes[0]
    values = np.asarray(axes.images[0].get_array())
    assert values == pytest.approx(np.array([[0.141, 0.151, 0.161], [0.145, 0.155, 0.165]]))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "32", "64"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "5"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("emb_dim", "num_negatives")
    assert texts(axes) == ["0.1410", "0.1510", "0.1610", "0.1450", "0.1550", "0.1650"]
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert {(round(f.get_x()), round(f.get_y())) for f in frames} == {(2, 1)}  # 64 and 5
    assert "best 0.1650 at emb_dim=64 num_negatives=5" in str(figure.get_label())


def test_a_cell_without_a_value_shows_the_reason() -> None:
    whole = grid([16, 32], [1, 5]).results
    lost = replace(whole[0], state="diverged", error="nan")
    axes = drawn_map(SweepTable((lost, *whole[2:]), MONITOR)).axes[0]
    # 16 and 1 diverged; 16 and 5 was not tried
    assert texts(axes) == ["diverged", "0.1510", "–", "0.1550"]


def test_a_third_key_gives_way_to_its_best() -> None:
    table = SweepTable(
        tuple(
            trial_result({"a": a, "b": b, "x.loss": loss}, a / 10 + b / 100 + add)
            for a in (1, 2)
            for b in (1, 2)
            for loss, add in (("bce", 0.0), ("bpr", 0.5))
        ),
        MONITOR,
    )
    figure = drawn_map(table)
    assert texts(figure.axes[0]) == ["0.6100", "0.7100", "0.6200", "0.7200"]
    assert "best over loss" in words(figure)


def test_one_key_is_a_line_with_its_intervals() -> None:
    table = SweepTable(
        tuple(trial_result({"a.dim": dim}, dim / 100, half=dim / 1000) for dim in (32, 8, 16)),
        MONITOR,
    )
    figure = drawn_map(table)
    (axes,) = figure.axes
    ((line, _, (bars,)),) = axes.containers
    assert xs(line) == [8, 16, 32]
    assert ys(line) == [0.08, 0.16, 0.32]
    ends = [[round(float(y), 4) for y in segment[:, 1]] for segment in bars.get_segments()]
    assert ends == [[0.072, 0.088], [0.144, 0.176], [0.288, 0.352]]
    assert axes.get_xscale() == "log"  # the middle, 16, is the geometric mean of the ends
    assert "interval over users" in words(figure)


def test_repeats_are_dots_around_their_mean() -> None:
    varied = [{"loss": "bce"}, {"loss": "bce"}, {"loss": "bpr"}, {"loss": "bpr"}]
    values = [0.1, 0.2, 0.3, 0.3]
    table = SweepTable(
        tuple(
            trial_result(v, y, seed=n % 2)
            for n, (v, y) in enumerate(zip(varied, values, strict=True))
        ),
        MONITOR,
    )
    figure = drawn_map(table)
    (axes,) = figure.axes
    assert [(0.0, 0.1), (0.0, 0.2)] in [sorted(points) for points in dots(axes)]
    assert [(1.0, 0.3), (1.0, 0.3)] in dots(axes)
    ((line, _, _),) = axes.containers
    assert ys(line) == pytest.approx([0.15, 0.3])
    assert line.get_linestyle() == "None"  # no line between two losses
    assert "standard deviation over seeds" in words(figure)


def test_drawn_numbers_are_a_scatter() -> None:
    table = drawn(60)
    axes = drawn_map(table).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    # 12 of 60 are pruned: a cross each; 48 dots in one collection, and the ring
    assert sorted(len(points) for points in dots(axes)) == [1] * 13 + [48]


def test_a_setting_that_lacks_a_key_has_no_place() -> None:
    lacking = trial_result({}, 0.9)
    one = SweepTable((lacking, trial_result({"a": 1}, 0.1), trial_result({"a": 2}, 0.2)), MONITOR)
    ((line, _, _),) = drawn_map(one).axes[0].containers
    assert ys(line) == [0.1, 0.2]
    two = SweepTable((trial_result({"a": 1}, 0.9), trial_result({"a": 2, "b": 3}, 0.2)), MONITOR)
    assert texts(drawn_map(two).axes[0]) == ["–", "0.2000"]
    pruned = trial_result({"b": 1}, 0.1, state="pruned")
    assert settings_map(SweepTable((lacking, pruned), MONITOR), MONITOR) is None


def test_nothing_to_map() -> None:
    assert (
        settings_map(
            SweepTable((trial_result({}, 0.1), trial_result({}, 0.2, seed=1)), MONITOR), MONITOR
        )
        is None
    )
    lost = trial_result({"a": 1}, 0.1, state="failed", error="no")
    assert settings_map(SweepTable((lost,), MONITOR), MONITOR) is None
    assert sweep_figures(SweepTable((), MONITOR)) == {}


def test_the_front_is_what_no_other_beats_in_both() -> None:
    # (1, 1) is beaten by (2, 2); (2, 1) by it too; equals do not beat one another.
    assert front_of([(1, 1), (2, 2), (3, 1), (2, 1), (2, 2)]) == [1, 2, 4]


POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


@given(POINTS)
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(
    points: list[tuple[int, int]],
) -> None:
    front = front_of(points)
    for n, (x, y) in enumerate(points):
        better = [points[m] for m in front if points[m][0] >= x and points[m][1] >= y]
        assert better
        assert (n in front) == (set(better) == {(x, y)})


def test_the_front_is_numbered_by_the_table_and_named() -> None:
    # Monitor 0.15, 0.14, 0.13 for 32, 16, 8 dimensions and 5 negatives, less for 1 negative at the
    # same number of parameters: the front holds the three with 5 negatives.
    table = grid([8, 16, 32], [1, 5])
    figure = pareto(table, "model/parameters", more_is_better=False, log=True)
    assert figure is not None
    (axes,) = figure.axes
    assert sorted(texts(axes)) == ["1", "3", "5"]
    assert legend(axes) == [
        "1  emb_dim=32 num_negatives=5",
        "3  emb_dim=16 num_negatives=5",
        "5  emb_dim=8 num_negatives=5",
    ]
    (line,) = axes.get_lines()
    assert xs(line) == [2367 * 8, 2367 * 16, 2367 * 32]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["18.9k", "37.9k", "75.7k"]


def test_more_coverage_is_better() -> None:
    # Coverage is 0.2 - negatives / 1000: 32 dimensions are best with either number of negatives.
    figure = pareto(grid([8, 32], [1, 5]), "val/coverage_at_10", more_is_better=True)
    assert figure is not None
    named = legend(figure.axes[0])
    assert named == ["1  emb_dim=32 num_negatives=5", "2  emb_dim=32 num_negatives=1"]
    assert pareto(grid([8], [1]), "train/seconds", more_is_better=False) is None  # one setting


def test_a_log_axis_has_no_place_for_nothing() -> None:
    without = [trial_result({"a": n}, n / 10, parameters=1000 * n) for n in range(3)]
    table = SweepTable(tuple(without), MONITOR)
    figure = pareto(table, "model/parameters", more_is_better=False, log=True)
    assert figure is not None
    assert figure.axes[0].get_xscale() == "linear"


def test_the_best_curves_are_coloured_and_pruned_ones_dashed() -> None:
    table = drawn(20)  # 16 finished
    figure = learning_curves(table)
    assert figure is not None
    (axes,) = figure.axes
    assert len(axes.get_lines()) == 20
    grey = [line for line in axes.get_lines() if line.get_color() == "0.72"]
    assert len(grey) == 15
    assert sum(line.get_linestyle() == "--" for line in grey) == 4
    assert legend(axes)[5:] == ["other trials", "pruned"]
    best = table.settings[0].results[0]
    top = [line for line in axes.get_lines() if line.get_color() == "#0072b2"]
    assert best.history is not None
    assert ys(top[0]) == best.history[MONITOR].to_list()
    # each kept epoch is the second of three
    assert {x for points in dots(axes) for x, _ in points} == {2.0}


def test_curves_without_an_epoch_or_with_gaps() -> None:
    lost = trial_result({"a": 1}, 0.1, state="failed", error="no")
    assert learning_curves(SweepTable((lost,), MONITOR)) is None
    kept = trial_result({"a": 2}, 0.1)
    assert kept.history is not None
    gaps = kept.history.with_columns(kept.history[MONITOR].replace(0.05, None))
    figure = learning_curves(SweepTable((lost, replace(kept, history=gaps)), MONITOR))
    assert figure is not None
    assert xs(figure.axes[0].get_lines()[0]) == [2, 3]


TABLES = {
    "4 x 3": grid([16, 32, 64, 128], [1, 5, 10]),
    "3 x 1": grid([16, 32, 64], [5]),
    "5 seeds": grid([16, 32, 64, 128], [5], seeds=5),
    "12 x 4": grid([2, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512], [1, 5, 10, 50]),
    "drawn": drawn(60),
    "one": grid([16], [1]),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_figure_is_labelled_and_nothing_overlaps(name: str) -> None:
    figures = sweep_figures(TABLES[name])
    assert {"settings_ndcg_at_10", "learning_curves"} <= set(figures)
    for title, figure in figures.items():
        assert overlapping(figure, figure.axes[0]) == [], title
        assert len(str(figure.get_label())) > 20
        assert figure.texts[0].get_text()


def test_a_figure_is_drawn_without_pyplot_or_a_warning() -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    for figure in sweep_figures(grid([16, 32], [1, 5])).values():
        file = io.BytesIO()
        figure.savefig(file, format="png")
        assert file.getvalue().startswith(b"\x89PNG")
    assert sys.modules.get("matplotlib.pyplot") is pyplot


@pytest.mark.parametrize("value", ["$a$", "$\\frac$", "5$", "a\x1b[31mb", "[/x] _{^"])
def test_labels_show_values_as_they_are(value: str) -> None:
    table = SweepTable(
        tuple(
            trial_result({"loss": loss, "tower.emb_dim": dim}, 0.1 + dim / 100)
            for loss in (value, "bce")
            for dim in (2, 4)
        ),
        MONITOR,
    )
    for figure in sweep_figures(table).values():
        figure.savefig(io.BytesIO(), format="png")  # warnings and unclosed mathematics raise
    shown = [label.get_text() for label in drawn_map(table).axes[0].get_xticklabels()]
    quoted = f"'{value}'"  # as on a command line
    assert shown[0] == quoted.replace("$", "\\$").replace("\x1b", "\\x1b")
