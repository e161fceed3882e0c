"""A setting in words and digits."""

from __future__ import annotations

import pytest
from sweep_examples import MONITOR, drawn, grid, trial_result  # type: ignore[import-not-found]

from twotower.core.numbers import human
from twotower.reporting.sweep import cells
from twotower.sweeping.setting_result import SettingResult
from twotower.sweeping.sweep_table import SweepTable


def setting(*results: object) -> SettingResult:
    return SweepTable(tuple(results), MONITOR).settings[0]  # type: ignore[arg-type]


def test_one_trial_has_half_of_its_interval_and_seeds_have_their_spread() -> None:
    assert cells.value(setting(trial_result({}, 0.2, half=0.05)), MONITOR) == "0.2000 ± 0.0500"
    assert cells.value(setting(trial_result({}, 0.2, half=None)), MONITOR) == "0.2000"
    # mean of 0.1 and 0.2; their standard deviation is 0.1 / sqrt(2)
    two = setting(trial_result({}, 0.1), trial_result({}, 0.2, seed=1))
    assert cells.value(two, MONITOR) == "0.1500 ± 0.0707"
    assert cells.value(two, MONITOR, bare=True) == "0.1500"


def test_the_seed_that_is_left_has_no_interval_among_spreads() -> None:
    left = setting(
        trial_result({}, 0.1), trial_result({}, 0.2, seed=1, state="diverged", error="nan")
    )
    assert cells.value(left, MONITOR) == "0.1000"
    assert cells.state(left) == "1 of 2 diverged"


def test_what_plus_minus_means() -> None:
    assert cells.around(grid([16], [1])) == "± half the interval over users"
    assert cells.around(grid([16], [1], seeds=2)) == "± standard deviation over seeds"
    mixed = SweepTable((*grid([16], [1]).results, *grid([32], [1], seeds=2).results), MONITOR)
    assert "; half the interval over users without repeats" in cells.around(mixed)
    assert cells.around(SweepTable((trial_result({}, 0.1, half=None),), MONITOR)) == ""


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (7, "7"),
        (999, "999"),
        (1000, "1.00k"),
        (45_123, "45.1k"),
        (130_400, "130k"),
        (999_499, "999k"),
        (999_960, "1.00M"),  # not 1000k
        (2_500_000_000, "2.50B"),
    ],
)
def test_parameters_have_three_digits(count: int, text: str) -> None:
    assert human(count) == text
    assert cells.parameters(setting(trial_result({}, 0.1, parameters=count))) == text


def test_seconds_and_epochs() -> None:
    one = setting(trial_result({}, 0.1, seconds=17.94, epoch=12))
    assert (cells.seconds(one), cells.best_epoch(one)) == ("17.9", "12")
    seeds = [
        trial_result({}, 0.1, seed=n, seconds=1204, epoch=epoch) for n, epoch in ((0, 18), (1, 12))
    ]
    assert cells.seconds(setting(*seeds)) == "1,204"
    assert cells.best_epoch(setting(*seeds)) == "12-18"
    bare = setting(trial_result({}, 0.1))
    assert cells.seconds(bare) + cells.best_epoch(bare) + cells.parameters(bare) == ""


def test_counts_of_states() -> None:
    # 10 trials of which each fifth is pruned
    assert cells.counts(drawn(10)) == "10 trials: 8 finished, 2 pruned"
    one = SweepTable((trial_result({}, 0.1, state="failed", error="no"),), MONITOR)
    assert cells.counts(one) == "1 trial: 1 failed"
    assert cells.counts(SweepTable((), MONITOR)) == "0 trials"


def test_trials_that_broke_are_named_with_their_seed_where_repeated() -> None:
    broken = {"state": "failed", "error": "no memory"}
    table = SweepTable(
        (
            trial_result({"a.lr": 0.0123456}, 0.1, seed=0),
            trial_result({"a.lr": 0.0123456}, 0.1, seed=1, **broken),
            trial_result({"a.lr": 1}, 0.1, **broken),
            trial_result({"a.lr": 2}, 0.1, state="pruned"),
        ),
        MONITOR,
    )
    assert [name for name, _ in cells.unfinished(table)] == ["lr=0.0123 seed=1", "lr=1"]
