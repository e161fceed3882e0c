"""The cost of a fit: seconds, those of validation, and positives."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from test_trainer import TRAINER, StopError, fit, scripted  # type: ignore[import-not-found]

from twotower.training import Cost
from twotower.training.cost import Costs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock whose `now` a test sets."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    return clock


def test_validations_are_part_of_the_seconds_but_not_of_the_rate(clock: SimpleNamespace) -> None:
    one, nothing = cast(Any, SimpleNamespace(world_size=1)), cast(Any, None)
    costs = Costs()
    for _ in range(2):  # epochs of 4 s and 30 positives, each validated for 1 s
        for rows in (16, 14):
            costs.on_train_batch_end(one, nothing, {"positives": rows})
        clock.now += 4
        costs.on_validation_start(nothing, nothing)
        clock.now += 1
        costs.on_validation_end(nothing, nothing)
    assert costs.cost == Cost(seconds=10.0, validation_seconds=2.0, positives=60)
    assert (costs.cost.positives_per_second, costs.cost.validation_share) == (60 / 8, 0.2)


def test_each_process_trains_on_as_many_positives(clock: SimpleNamespace) -> None:
    costs, three = Costs(), cast(Any, SimpleNamespace(world_size=3))
    costs.on_train_batch_end(three, cast(Any, None), {"positives": 5})
    assert costs.cost.positives == 15


def test_a_resumed_fit_adds_what_was_spent_before(clock: SimpleNamespace) -> None:
    resumed = Costs()
    resumed.load_state_dict({"seconds": 7.0, "validation_seconds": 3.0, "positives": 11})
    clock.now += 2
    assert resumed.cost == Cost(9.0, 3.0, 11)


def test_a_fit_counts_each_interaction_once_per_epoch(tmp_path: Path) -> None:
    # The checkerboard has 60 interactions; epoch 3, which was interrupted, counts once.
    def stop(epoch: int, _: object) -> None:
        if epoch == 3:
            raise StopError

    def keys(n: int) -> dict[str, Any]:
        return {"validate": scripted(*[0.1] * n)[0], "monitor": "ndcg_at_10", "folder": tmp_path}

    trainer = replace(TRAINER, max_epochs=4)
    with pytest.raises(StopError):
        fit(trainer, on_epoch=stop, **keys(3))
    fitted = fit(trainer, **keys(2))
    assert fitted.cost.positives == 4 * 60
    assert 0 < fitted.cost.validation_seconds < fitted.cost.seconds == fitted.seconds
