from __future__ import annotations

import time
from pathlib import Path

import pytest

from twotower.core.errors import RunNotFoundError
from twotower.tracking.load import download, find_run
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.store import open_store


def finished(tracking: MlflowTracking, name: str) -> str:
    time.sleep(0.002)  # MLflow orders by start in whole milliseconds
    with tracking.run(name=name, config={"tower": {"emb_dim": 8}}, tags={"a": "b"}) as run:
        run.log_metrics({"val/mrr": 0.5})
    assert run.id is not None
    return run.id


def test_by_id_by_its_start_by_name_and_latest(tracking: MlflowTracking) -> None:
    first, second = finished(tracking, "same"), finished(tracking, "same")
    third = finished(tracking, "it's")
    with pytest.raises(ValueError, match="no"), tracking.run(name="failed", config={}, tags={}):
        raise ValueError("no")

    def found(run: str) -> str:
        return find_run(tracking.uri, "twotower", run).id

    assert found(first) == first
    # Long enough to be the start of only one id.
    assert found(first[:12]) == first
    assert found("same") == second
    assert found("it's") == third
    assert found("latest") == third  # the newest did not finish
    for tag in ("baseline", "sweep.id"):
        with tracking.run(name="without a model", config={}, tags={tag: "x"}):
            pass
    assert found("latest") == third
    assert find_run(tracking.uri, "twotower", "failed").status == "FAILED"


def test_what_is_found(tracking: MlflowTracking) -> None:
    finished(tracking, "whole")
    run = find_run(tracking.uri, "twotower", "whole")
    assert (run.name, run.status, run.experiment_id) == (
        "whole",
        "FINISHED",
        tracking.experiment_id,
    )
    assert run.params == {"emb_dim": "8"}
    assert run.metrics == {"val/mrr": 0.5}
    assert run.tags["a"] == "b"


def test_a_full_id_of_another_experiment(tracking: MlflowTracking) -> None:
    _ = tracking.experiment_id
    other = finished(MlflowTracking(tracking.uri, "other", None, tracking.outbox), "elsewhere")
    assert find_run(tracking.uri, "twotower", other).name == "elsewhere"


def test_not_found_lists_recent_runs(tracking: MlflowTracking) -> None:
    run_id = finished(tracking, "known")
    for unknown in ("unknown", "0" * 32, 'it\'s "both" quotes', "%", "known%"):
        with pytest.raises(RunNotFoundError) as caught:
            find_run(tracking.uri, "twotower", unknown)
        text = str(caught.value)
        assert text.startswith(
            f"No run={unknown!r} in experiment 'twotower' at {tracking.uri}. It must be an id, "
            "the start of one, a run's name, or latest. "
            f"Recent runs: \n  {run_id}  known  FINISHED  "
        )


def test_an_ambiguous_start_of_an_id_is_refused(tracking: MlflowTracking) -> None:
    ids = {finished(tracking, f"run {n}") for n in range(17)}  # 16 hex digits: two share the first
    first = next(d for d in "0123456789abcdef" if sum(i.startswith(d) for i in ids) > 1)
    with pytest.raises(RunNotFoundError, match=f"run='{first}' is the start of several ids: \n"):
        find_run(tracking.uri, "twotower", first)


def test_a_store_that_does_not_exist_yet(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError) as caught:
        find_run(f"sqlite:///{tmp_path}/mlflow.db", "twotower", "latest")
    assert str(caught.value) == (
        f"No runs yet: there is no {tmp_path}/mlflow.db (tracking.uri). Run `twotower train` "
        "first, or point output_dir or tracking.uri to where the runs are."
    )
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_that_does_not_exist(tracking: MlflowTracking) -> None:
    _ = tracking.experiment_id
    with pytest.raises(RunNotFoundError) as caught:
        find_run(tracking.uri, "twotowers", "latest")
    assert str(caught.value) == (
        f"No experiment 'twotowers' at {tracking.uri} (tracking.experiment_name). "
        "Experiments there: Default, twotower."
    )


def test_an_artifact_that_does_not_exist(tracking: MlflowTracking) -> None:
    run_id = finished(tracking, "empty")
    for path, rest in (
        ("model/best.ckpt", "In model: nothing."),
        ("best.ckpt", "In its top folder: config.yaml."),
    ):
        with pytest.raises(RunNotFoundError) as caught:
            download(tracking.uri, run_id, path)
        assert str(caught.value) == f"Run {run_id} at {tracking.uri} has no {path!r}. {rest}"


def test_a_deleted_run_is_not_the_latest(tracking: MlflowTracking) -> None:
    first, second = finished(tracking, "a"), finished(tracking, "b")
    open_store(tracking.uri).delete_run(second)
    assert find_run(tracking.uri, "twotower", "latest").id == first
