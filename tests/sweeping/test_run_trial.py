"""One trial of a sweep: however it ends, its folder and its tracked run say so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mlflow.entities import Run

from twotower.config import build, compose
from twotower.core.errors import DataError
from twotower.evaluation import Evaluation
from twotower.reporting.run_page import report_run
from twotower.running.experiment import Experiment
from twotower.running.trial_context import Pruned
from twotower.sweeping.run_trial import run_trial
from twotower.sweeping.trial_result import TrialResult
from twotower.sweeping.trial_spec import TrialSpec
from twotower.tracking.load import download
from twotower.tracking.store import open_store
from twotower.training import OnEpoch, Trainer

MONITOR = "val/ndcg_at_10"
SPEC = TrialSpec(
    hash="0123456789abcdef01234567",
    name="emb_dim=4 seed=0",
    setting="emb_dim=4",
    overrides=("tower.emb_dim=4",),
    varied={"tower.emb_dim": 4},
    seed=0,
    repeat={"seed": 0},
    baselines="",
    place="1/2",
    parent_id=None,
    tests=False,
    study=None,
)


class Place:
    """A trial's folder, and what its experiment is made of."""

    def __init__(self, folder: Path, overrides: list[str]) -> None:
        self.folder = folder / "trial"
        self.folder.mkdir()
        self.overrides = overrides

    def run(self, *overrides: str, watch: OnEpoch | None = None, **changes: Any) -> TrialResult:
        config = compose("train", [*self.overrides, *overrides])
        spec = replace(SPEC, **changes)
        result = run_trial(build(config), spec, self.folder, report_run, watch)
        kept = TrialResult.load(self.folder)
        assert kept is not None
        assert (kept.state, kept.metrics, kept.run_id) == (
            result.state,
            result.metrics,
            result.run_id,
        )
        return result


@pytest.fixture
def place(tmp_path: Path, untracked: list[str]) -> Place:
    return Place(tmp_path, untracked)


@pytest.fixture
def tracked(tmp_path: Path, small: list[str]) -> Place:
    return Place(tmp_path, small)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The title of every fit that trained at least one epoch, as often as it did."""
    seen: list[str] = []
    fit = Trainer.fit

    def spy(self: Trainer, *args: Any, **keys: Any) -> Any:
        on_epoch = keys["on_epoch"]
        title = keys.get("title", "training")

        def noted(epoch: int, metrics: Mapping[str, float]) -> None:
            seen.append(f"{title} {epoch}")
            on_epoch(epoch, metrics)

        return fit(self, *args, **{**keys, "on_epoch": noted})

    monkeypatch.setattr(Trainer, "fit", spy)
    return seen


SELECTION = ["training 1", "training 2", "training 3"]


def break_data(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(self: Experiment) -> Any:
        raise error

    monkeypatch.setattr(Experiment, "load", broken)


def reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log messages about trials."""
    return [r.getMessage() for r in caplog.records if r.name.endswith("run_trial")]


EVERY_EPOCH = "trainer.checkpoint_seconds=0"


def interrupt_in_epoch_2(place: Place) -> None:
    def interrupt(epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    config = compose("train", [*place.overrides, EVERY_EPOCH])
    with pytest.raises(KeyboardInterrupt):
        run_trial(build(config), SPEC, place.folder, report_run, interrupt)


def prune_after(last: int) -> OnEpoch:
    def watch(epoch: int, metrics: Mapping[str, float]) -> None:
        if epoch == last:
            raise Pruned(f"stopped after epoch {epoch}")

    return watch


def test_a_finished_trial_reports_validation_but_not_test(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    result = place.run()
    value, seconds = result.metrics[MONITOR], result.metrics["train/seconds"]
    assert reported(caplog) == [f"[1/2] {SPEC.name}: val NDCG@10 {value:.4f}, {seconds:.1f} s"]
    # All trials have the same data, which the sweep has reported.
    assert not [r for r in caplog.records if r.name.startswith(("twotower.split", "twotower.exp"))]
    assert (result.state, result.error, result.run_id) == ("finished", None, None)
    assert (result.hash, result.name, result.varied) == (SPEC.hash, SPEC.name, SPEC.varied)
    assert not result.tested
    assert not [name for name in result.metrics if name.startswith(("test", "baseline"))]
    history, per_user, relevant = result.history, result.per_user, result.relevant
    assert history is not None
    assert per_user is not None
    assert relevant is not None
    # The value is that of the best epoch, and the mean over users.
    assert history["epoch"].to_list() == [1, 2, 3]
    assert result.metrics[MONITOR] == history[MONITOR].max()
    assert result.metrics["model/best_epoch"] == int(history[MONITOR].arg_max() or 0) + 1
    assert per_user["ndcg_at_10"].mean() == pytest.approx(result.metrics[MONITOR])
    low, high = result.intervals[MONITOR]
    assert low < result.metrics[MONITOR] < high
    assert relevant.columns == ["user_id", "item_id", "popularity", "rank"]
    # Four numbers for each user and item of train.
    users, items = (result.metrics[f"data/{part}"] for part in ("users", "items"))
    assert result.metrics["model/parameters"] == 4 * (users + items)


def test_a_trial_is_tested_where_it_is_asked_to_be(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    result = place.run(tests=True)
    assert result.tested
    assert f": test NDCG@10 {result.metrics['test/ndcg_at_10']:.4f}, " in reported(caplog)[0]
    assert {"test/ndcg_at_10", "baseline/popularity/ndcg_at_10", MONITOR} <= set(result.metrics)
    assert "test/ndcg_at_10" in result.intervals
    # What it is chosen by stays validation.
    assert result.metrics[MONITOR] == place.run().metrics[MONITOR]


def test_a_settled_trial_is_not_run_again(place: Place, fits: list[str]) -> None:
    first = place.run()
    assert fits == SELECTION
    again = place.run()
    assert fits == SELECTION
    assert again.metrics == first.metrics
    # Not what is there of another trial, by chance in the same folder.
    place.run(hash="another", tests=False)
    assert TrialResult.load(place.folder).hash == "another"  # type: ignore[union-attr]


def test_a_trial_is_tested_later_without_its_selection_being_trained_again(
    place: Place, fits: list[str]
) -> None:
    untested = place.run()
    tested = place.run(tests=True)
    best = int(untested.metrics["model/best_epoch"])
    assert fits == [*SELECTION, *(f"refit {epoch}" for epoch in range(1, best + 1))]
    assert tested.tested
    for name, value in untested.metrics.items():
        if name.startswith("val/"):
            assert tested.metrics[name] == value
    assert untested.history is not None
    assert untested.history.equals(tested.history)  # type: ignore[arg-type]
    # As if it had been tested at once.
    fits.clear()
    (place.folder / "outcome.json").unlink()
    for path in [*place.folder.glob("selection/*"), *place.folder.glob("refit/*")]:
        path.unlink()
    at_once = place.run(tests=True)
    of_both = [
        {name: value for name, value in one.metrics.items() if name.startswith(("val/", "test/"))}
        for one in (at_once, tested)
    ]
    assert of_both[0] == of_both[1]
    # And not a third time.
    fits.clear()
    place.run(tests=True)
    place.run(tests=False)
    assert fits == []


def test_a_diverged_trial_is_reported_and_final(
    place: Place, fits: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    result = place.run("tower.init_std=1e38")
    assert result.state == "diverged"
    assert result.error is not None
    assert result.error.startswith("TrainingError: the training loss is")
    assert reported(caplog) == [f"[1/2] {SPEC.name}: {result.error}"]
    assert (result.metrics, result.history, result.per_user) == ({}, None, None)
    fits.clear()
    assert place.run("tower.init_std=1e38", tests=True).state == "diverged"
    assert fits == []


def test_a_failed_trial_is_reported_and_retried(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        break_data(broken, RuntimeError("out of memory\nat line 3"))
        result = place.run()
    assert (result.state, result.error) == ("failed", "RuntimeError: out of memory")
    assert "Traceback" in caplog.text  # nobody meant this one
    assert place.run().state == "finished"
    assert TrialResult.load(place.folder).error is None  # type: ignore[union-attr]


def test_an_expected_error_is_printed_without_a_traceback(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    break_data(monkeypatch, DataError("log.csv: no column 'user'"))
    result = place.run()
    assert (result.state, result.error) == ("failed", "DataError: log.csv: no column 'user'")
    assert "Traceback" not in caplog.text


def test_a_trial_that_failed_in_its_test_keeps_its_selection(
    place: Place, fits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = Evaluation.measure
    with monkeypatch.context() as broken:

        def fails(self: Evaluation, recommendations: Any, fold: Any) -> Any:
            if "refit 1" in fits:
                raise RuntimeError("no")
            return measure(self, recommendations, fold)

        broken.setattr(Evaluation, "measure", fails)
        assert place.run(tests=True).state == "failed"
    fits.clear()
    assert place.run(tests=True).state == "finished"
    assert fits == []


def test_a_pruned_trial_keeps_what_was_seen(
    place: Place, fits: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    result = place.run(watch=prune_after(2))
    assert (result.state, result.error) == ("pruned", "Pruned: stopped after epoch 2")
    history = result.history
    assert history is not None
    assert history["epoch"].to_list() == [1, 2]
    assert result.metrics[MONITOR] == history[MONITOR].max()
    value = result.metrics[MONITOR]
    assert reported(caplog) == [f"[1/2] {SPEC.name}: val NDCG@10 {value:.4f}, pruned"]
    assert {name.partition("/")[0] for name in result.metrics} == {"val"}
    assert (result.per_user, result.intervals, result.tested) == (None, {}, False)
    place.run(watch=None, tests=True)
    assert fits == SELECTION[:2]  # settled


def test_a_resumed_trial_that_is_pruned_keeps_every_epoch(place: Place) -> None:
    interrupt_in_epoch_2(place)
    result = place.run(EVERY_EPOCH, watch=prune_after(3))
    assert result.state == "pruned"
    assert result.history is not None
    assert result.history["epoch"].to_list() == [1, 2, 3]


def test_a_watch_sees_every_epoch_of_the_selection_and_none_of_the_refit(place: Place) -> None:
    seen: list[tuple[int, float]] = []
    result = place.run(tests=True, watch=lambda n, metrics: seen.append((n, metrics[MONITOR])))
    history = result.history
    assert history is not None
    assert seen == list(zip(history["epoch"], history[MONITOR], strict=True))


def test_an_interrupted_trial_resumes_where_it_stopped(place: Place, fits: list[str]) -> None:
    interrupt_in_epoch_2(place)
    assert TrialResult.load(place.folder) is None
    fits.clear()
    result = place.run(EVERY_EPOCH)
    assert fits[-1] == "training 3"
    assert len(fits) < 3
    assert result.history is not None
    assert result.history["epoch"].to_list() == [1, 2, 3]
    # The same numbers as of a trial that was never interrupted.
    (place.folder / "outcome.json").unlink()
    (place.folder / "selection" / "fitted.pt").unlink()
    assert place.run().metrics[MONITOR] == result.metrics[MONITOR]


# --- what is tracked


def address(place: Place) -> str:
    (output_dir,) = (o.partition("=")[2] for o in place.overrides if o.startswith("output_dir"))
    return f"sqlite:///{output_dir}/mlflow.db"


def only_run(place: Place) -> Run:
    client = open_store(address(place))
    experiment = client.get_experiment_by_name("twotower")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def curve(place: Place, run_id: str | None) -> dict[int, float]:
    """Return the monitor by epoch; the last value is the one after the last epoch."""
    points = open_store(address(place)).get_metric_history(str(run_id), MONITOR)
    return {point.step: point.value for point in points}


def test_a_finished_trial_is_nested_under_its_sweep(tracked: Place) -> None:
    result = tracked.run(parent_id="the sweep")
    run = only_run(tracked)
    assert (run.info.run_id, run.info.status) == (result.run_id, "FINISHED")
    assert run.info.run_name == SPEC.name
    tags = run.data.tags
    assert tags["mlflow.parentRunId"] == "the sweep"
    assert (tags["trial.hash"], tags["trial.setting"]) == (SPEC.hash, SPEC.setting)
    assert run.data.metrics[MONITOR] == result.metrics[MONITOR]
    assert run.data.params["emb_dim"] == "4"
    assert run.outputs is None or not run.outputs.model_outputs  # trials are light
    assert min(curve(tracked, result.run_id)) == 1  # no point before the first epoch
    assert not [name for name in run.data.metrics if name.startswith("test")]
    path = download(address(tracked), run.info.run_id, "validation/per_user.parquet")
    assert result.per_user is not None
    assert pl.read_parquet(path).equals(result.per_user)


def test_a_trial_that_is_tested_later_is_the_same_run(tracked: Place) -> None:
    untested = tracked.run()
    before = curve(tracked, untested.run_id)
    assert list(before) == [1, 2, 3, 4]
    tested = tracked.run(tests=True)
    run = only_run(tracked)
    assert (run.info.run_id, run.info.status) == (untested.run_id, "FINISHED")
    assert run.data.metrics["test/ndcg_at_10"] == tested.metrics["test/ndcg_at_10"]
    assert run.outputs is not None
    assert len(run.outputs.model_outputs) == 1
    assert run.data.metrics[MONITOR] == tested.metrics[MONITOR]
    assert curve(tracked, untested.run_id) == before
    assert "mlflow.parentRunId" not in run.data.tags  # of no sweep


def test_a_diverged_trial_is_a_failed_run(tracked: Place) -> None:
    result = tracked.run("tower.init_std=1e38", parent_id="the sweep")
    run = only_run(tracked)
    assert (run.info.run_id, run.info.status) == (result.run_id, "FAILED")
    assert run.data.tags["error"] == result.error
    assert run.data.tags["mlflow.parentRunId"] == "the sweep"


def test_a_failed_trial_is_a_failed_run_and_is_retried_as_the_same_run(
    tracked: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        break_data(broken, DataError("no such file"))
        failed = tracked.run()
    run = only_run(tracked)
    assert (run.info.run_id, run.info.status) == (failed.run_id, "FAILED")
    finished = tracked.run()
    run = only_run(tracked)
    assert (run.info.run_id, run.info.status) == (finished.run_id, "FINISHED")
    assert finished.run_id == failed.run_id
    assert "error" not in run.data.tags


def test_a_pruned_trial_is_a_killed_run(tracked: Place) -> None:
    result = tracked.run(watch=prune_after(2), parent_id="the sweep")
    run = only_run(tracked)
    assert (run.info.run_id, run.info.status) == (result.run_id, "KILLED")
    assert result.history is not None
    seen = result.history
    assert curve(tracked, result.run_id) == dict(zip(seen["epoch"], seen[MONITOR], strict=True))
    assert run.data.tags["mlflow.parentRunId"] == "the sweep"
