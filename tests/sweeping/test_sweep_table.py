"""Trials together as settings."""

from __future__ import annotations

import io

import polars as pl
import pytest
from sweep_examples import MONITOR, grid, trial_result  # type: ignore[import-not-found]

from twotower.sweeping.sweep_table import SweepTable


def test_settings_are_ranked_by_their_mean_over_seeds() -> None:
    # Means: (0.1 + 0.3) / 2 = 0.2 for 16, and 0.25 for 32. Spread of 16: 0.2 / sqrt(2).
    table = SweepTable(
        (
            trial_result({"emb_dim": 16}, 0.1, seed=0),
            trial_result({"emb_dim": 16}, 0.3, seed=1),
            trial_result({"emb_dim": 32}, 0.25, seed=0),
            trial_result({"emb_dim": 64}, 0.9, seed=0, state="failed", error="no memory"),
        ),
        MONITOR,
    )
    assert [setting.name for setting in table.settings] == [
        "emb_dim=32",
        "emb_dim=16",
        "emb_dim=64",
    ]
    assert table.best is table.settings[0]
    assert table.settings[1].mean(MONITOR) == pytest.approx(0.2)
    assert table.settings[1].spread(MONITOR) == pytest.approx(0.2 / 2**0.5)
    assert table.settings[0].spread(MONITOR) is None  # one seed has none
    assert table.settings[2].mean(MONITOR) is None


def test_no_trial_finished() -> None:
    lost = SweepTable((trial_result({"emb_dim": 16}, 0.1, state="failed", error="no"),), MONITOR)
    assert lost.best is None
    assert SweepTable((), MONITOR).best is None
    assert SweepTable((), MONITOR).frame().is_empty()


def test_a_label_is_the_shortest_end_that_no_other_key_has() -> None:
    varied = {"tower.user.dim": 8, "tower.item.dim": 4, "optimizer.lr": 0.1, "loss": "bce"}
    table = SweepTable((trial_result(varied, 0.1),), MONITOR)
    assert list(table.labels.values()) == ["user.dim", "item.dim", "lr", "loss"]
    # `lr` alone would also be the end of `optimizer.lr`.
    both = SweepTable((trial_result({"lr": 1, "optimizer.lr": 2}, 0.1),), MONITOR)
    assert both.labels == {"lr": "lr", "optimizer.lr": "optimizer.lr"}


def test_what_is_shown_is_all_that_was_measured_the_monitor_first() -> None:
    (only,) = grid([16], [1]).results
    assert grid([16], [1]).shown == [MONITOR, "val/hitrate_at_10", "val/coverage_at_10"]
    only.metrics.update({"val/ndcg_at_5": 0.1, "val/map_at_5": 0.1, "val/loss": 0.1})
    assert SweepTable((only,), "val/map_at_5").shown == [
        "val/map_at_5",
        MONITOR,
        "val/hitrate_at_10",
        "val/coverage_at_10",
        "val/ndcg_at_5",
    ]


def test_the_frame_has_a_row_a_trial() -> None:
    frame = grid([16, 32], [5], seeds=2).frame()
    # 0.1 + log2(32) / 100 + 5 / 1000 = 0.155 for seed 0 of the better setting
    assert frame["rank"].to_list() == [1, 1, 2, 2]
    assert frame["seed"].to_list() == [0, 1, 0, 1]
    assert frame[MONITOR][0] == pytest.approx(0.155)
    assert frame[f"{MONITOR}_low"][0] == pytest.approx(0.115)
    assert frame["overrides"][0] == "tower.emb_dim=32 negative_sampling.num_negatives=5"


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ((1, 2.5), [2.5, 1.0]),
        ((10, "auto"), ["auto", "10"]),
        ((True, 3), ["3", "true"]),
        (([64, 32], 16), ["16", "[64,32]"]),
        (([8], [8, 4]), ["[8,4]", "[8]"]),
        (([], [[1, "a, b"], None]), ["[[1,'a, b'],null]", "[]"]),
        (({"a": 1}, None), [None, "{a:1}"]),
        ((2**64, 1), ["1", str(2**64)]),
        ((None, 16), [16, None]),
    ],
)
def test_a_column_holds_one_type(values: tuple[object, object], column: list[object]) -> None:
    table = SweepTable(
        (trial_result({"key": values[0]}, 0.1), trial_result({"key": values[1]}, 0.2)), MONITOR
    )
    assert table.frame()["key"].to_list() == column
    assert isinstance(table.frame(), pl.DataFrame)
    table.frame().write_csv(io.BytesIO())
