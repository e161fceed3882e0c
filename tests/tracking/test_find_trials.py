from __future__ import annotations

import time

import pytest
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from twotower.core.errors import RunNotFoundError
from twotower.tracking import load
from twotower.tracking.load import find_sweep, find_trials
from twotower.tracking.mlflow_tracking import MlflowTracking


def opened(tracking: MlflowTracking, name: str, **tags: str) -> str:
    """A finished run; `parent` and `sweep` become the tags of a trial and of a sweep."""
    time.sleep(0.002)  # MLflow orders by start in whole milliseconds
    keys = {"parent": MLFLOW_PARENT_RUN_ID, "sweep": "sweep.id"}
    named = {keys[key]: value for key, value in tags.items()}
    with tracking.run(name=name, config={}, tags=named) as run:
        assert run.id is not None
        return run.id


def test_the_finished_trials_of_a_sweep_in_order_of_start(tracking: MlflowTracking) -> None:
    sweep, other = opened(tracking, "sweep", sweep="s1"), opened(tracking, "other", sweep="s2")
    first = opened(tracking, "b", parent=sweep)
    opened(tracking, "elsewhere", parent=other)
    with pytest.raises(ValueError, match="no"):
        failing(tracking, sweep)
    second = opened(tracking, "a", parent=sweep)
    opened(tracking, "no trial")
    assert [run.id for run in find_trials(tracking.uri, sweep)] == [first, second]
    assert find_trials(tracking.uri, first) == []


def failing(tracking: MlflowTracking, parent: str) -> None:
    with tracking.run(name="failed", config={}, tags={MLFLOW_PARENT_RUN_ID: parent}):
        raise ValueError("no")


def test_trials_of_several_pages(tracking: MlflowTracking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_PAGE", 2)
    sweep = opened(tracking, "sweep", sweep="s1")
    trials = [opened(tracking, f"trial {n}", parent=sweep) for n in range(5)]
    assert [run.id for run in find_trials(tracking.uri, sweep)] == trials


def test_a_sweep_by_its_id_by_its_name_and_latest(tracking: MlflowTracking) -> None:
    first, second = opened(tracking, "one", sweep="s1"), opened(tracking, "two", sweep="s2")
    opened(tracking, "trial", parent=second, sweep="s2")  # has the tag too, but also a parent
    opened(tracking, "no sweep")

    def found(sweep: str) -> str:
        return find_sweep(tracking.uri, "twotower", sweep).id

    assert found(first) == found(first[:12]) == found("one") == first
    assert found("s1") == first
    assert found("s") == second  # the newest of those that begin so
    assert found("latest") == second


def test_a_run_that_is_not_a_sweep_is_refused(tracking: MlflowTracking) -> None:
    with pytest.raises(RunNotFoundError, match="No sweep yet in experiment 'twotower' at sqlite"):
        find_sweep(tracking.uri, "twotower", "latest")
    plain = opened(tracking, "plain")
    with pytest.raises(RunNotFoundError, match="No sweep yet in experiment 'twotower' at sqlite"):
        find_sweep(tracking.uri, "twotower", "latest")
    with pytest.raises(RunNotFoundError, match=f"is run {plain} \\(plain\\), which is not a sweep"):
        find_sweep(tracking.uri, "twotower", "plain")
    sweep = opened(tracking, "sweep", sweep="s1")
    opened(tracking, "trial", parent=sweep, sweep="s1")
    with pytest.raises(RunNotFoundError, match=f"a trial of sweep {sweep}"):
        find_sweep(tracking.uri, "twotower", "trial")
    with pytest.raises(RunNotFoundError, match="No run='nosuch'"):
        find_sweep(tracking.uri, "twotower", "nosuch")
