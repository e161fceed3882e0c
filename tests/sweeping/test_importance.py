"""Which key matters."""

from __future__ import annotations

import logging
import re
import warnings
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from sweep_examples import MONITOR, drawn, grid, trial_result  # type: ignore[import-not-found]

from twotower.reporting.sweep.importance import importance, unsupported
from twotower.sweeping.sweep_table import SweepTable

DIM, NEGATIVES = "tower.emb_dim", "negative_sampling.num_negatives"


def test_shares_follow_the_variance() -> None:
    # log2(dim) / 100 is 0.04, 0.05, 0.06 or 0.07, of variance 1.25e-4; negatives / 1000 is 0.001 to
    # 0.005, of variance 2e-6. Their shares are 125 / 127 and 2 / 127, and nothing in combination.
    shares = importance(grid([16, 32, 64, 128], [1, 2, 3, 4, 5]), seed=0)
    assert shares is not None
    assert list(shares) == [DIM, NEGATIVES]
    assert shares[DIM] == pytest.approx(125 / 127, abs=0.01)
    assert shares[NEGATIVES] == pytest.approx(2 / 127, abs=0.01)


def test_drawn_numbers_are_numbers() -> None:
    # The monitor depends on the step size alone, and its logarithm at that.
    shares = importance(drawn(60), seed=0)
    assert shares is not None
    assert next(iter(shares)) == "optimizer.lr"
    assert shares["optimizer.lr"] > 0.75
    assert shares["loss"] < 0.05


def test_the_same_seed_gives_the_same_shares() -> None:
    table = drawn(30)
    assert importance(table, seed=3) == importance(table, seed=3)
    assert importance(table, seed=3) != importance(table, seed=4)


def test_lists_and_missing_values_are_choices() -> None:
    table = SweepTable(
        tuple(
            trial_result({"hidden": hidden, "act": act}, 0.1 * len(hidden or ()) + 0.01 * bool(act))
            for hidden in (None, [64], [64, 32])
            for act in (None, "relu")
        ),
        MONITOR,
    )
    shares = importance(table, seed=0)
    assert shares is not None
    assert shares["hidden"] > 0.9


@pytest.mark.parametrize(
    "table",
    [
        SweepTable((), MONITOR),
        SweepTable(grid([16, 32], [1, 5]).results[:3], MONITOR),
        grid([16, 32, 64, 128], [1]),  # what one key explains is all, whatever it is
        SweepTable(
            tuple(trial_result({"a": a, "b": b}, 0.1) for a in (1, 2) for b in (1, 2)), MONITOR
        ),
        SweepTable(tuple(trial_result({}, 0.1 * n, seed=n) for n in range(5)), MONITOR),
    ],
    ids=["no trial", "three trials", "one key", "all alike", "seeds alone"],
)
def test_it_cannot_be_determined(table: SweepTable) -> None:
    assert importance(table, seed=0) is None


def test_trials_that_did_not_finish_do_not_count() -> None:
    whole = grid([16, 128], [1, 5])
    lost = trial_result({DIM: 999, NEGATIVES: 999}, 9.0, state="pruned")
    with_lost = SweepTable((*whole.results, lost), MONITOR)
    assert importance(with_lost, seed=0) == importance(whole, seed=0)


def test_optuna_is_silent_and_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    import optuna

    before = optuna.logging.get_verbosity()
    filters = list(warnings.filters)
    importance(grid([16, 128], [1, 5]), seed=0)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before == logging.INFO
    assert warnings.filters == filters


def compared(*significant: bool) -> Any:
    return SimpleNamespace(pairs=pl.DataFrame({"significant": significant}))


@pytest.mark.parametrize(
    ("table", "pairs", "words"),
    [
        (grid([16, 32, 64], [1, 5]), (True,), "6 trials finished, and 2 keys need at least 8"),
        (grid([16, 32, 64, 128], [1, 5]), (False, False), "no two settings were shown to differ"),
        (grid([16, 32, 64, 128], [1, 5]), (False, True), None),
        (grid([16], [1]), (), "1 trials? finished"),
    ],
)
def test_importance_needs_trials_and_a_difference(
    table: SweepTable, pairs: tuple[bool, ...], words: str | None
) -> None:
    found = unsupported(table, compared(*pairs))
    assert found is None if words is None else re.search(words, str(found))


def test_settings_that_could_not_be_compared_support_nothing() -> None:
    assert unsupported(grid([16, 32, 64, 128], [1, 5]), None) is not None
    assert unsupported(SweepTable((trial_result({"a": 1}, 0.1),), MONITOR), None) is None  # one key
