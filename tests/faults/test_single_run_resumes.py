"""A run that is killed at any moment is finished by the same command without a trace of it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fresh_processes import begin
from mlflow import MlflowClient
from mlflow.entities import Run

import twotower
from twotower.running import artifacts
from twotower.running.experiment import Experiment
from twotower.running.fitter import Fitter
from twotower.running.judge import Judge
from twotower.serving.recommender import Recommender
from twotower.tracking.mlflow_run import MlflowRun
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.outbox import Outbox
from twotower.tracking.store import open_store

EVERY_EPOCH = "trainer.checkpoint_seconds=0"
REPEATS = int(os.environ.get("TWOTOWER_SOAK", "1"))  # of random moments, for each signal
History = dict[str, list[tuple[int, float]]]


class Whole(NamedTuple):
    """A run that was not interrupted, and the seconds that it takes a process of its own."""

    metrics: dict[str, float]
    history: History
    seconds: float


# Where a process dies: class or module, function, which call of it, and before or after that.
MOMENTS: dict[str, tuple[Any, str, int, str]] = {
    "before opening": (MlflowTracking, "_opened", 1, "before"),
    "run created, id not noted": (MlflowClient, "create_run", 1, "after"),
    "run opened, id not noted": (MlflowTracking, "_opened", 1, "after"),
    "loading": (Experiment, "load", 1, "before"),
    "loaded": (artifacts, "log_data", 1, "after"),
    "selecting, first epoch": (Fitter, "_log_epoch", 1, "after"),
    "selecting, second epoch": (Fitter, "_log_epoch", 2, "after"),
    "validating": (Judge, "__call__", 1, "before"),
    "refitting": (MlflowRun, "log_metrics", 6, "after"),  # three epochs, the kept one, two more
    "testing": (Judge, "__call__", 2, "after"),
    "logging": (artifacts, "log_judged", 1, "after"),
    "saving": (Recommender, "save", 1, "after"),
    "closing": (MlflowRun, "finish", 1, "before"),
    "closed, not delivered": (Outbox, "close", 1, "before"),
    "delivered": (Outbox, "close", 1, "after"),
}


def die(moment: str, overrides: list[str]) -> None:
    """Run until the moment, and kill -9 this process."""
    owner, name, call, when = MOMENTS[moment]
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def dying(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **keywords)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, dying)
    twotower.run(overrides)


def killed(moment: str, overrides: list[str]) -> None:
    """Run in a process of its own, which dies at the moment."""
    process = begin(die, moment, overrides)
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def run_whole(overrides: list[str]) -> None:
    twotower.run(overrides)


def all_runs(output_dir: Path) -> list[Run]:
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    experiment = client.get_experiment_by_name("twotower")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def only_run(output_dir: Path) -> Run:
    (run,) = all_runs(output_dir)
    return run


def history(output_dir: Path, run: Run) -> History:
    """Return step and value of every row of every metric but those of time and memory."""
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    rows = {
        name: client.get_metric_history(run.info.run_id, name)
        for name in run.data.metrics
        if not any(cost in name for cost in ("second", "share", "memory", "flop"))
    }
    return {name: sorted((row.step, row.value) for row in found) for name, found in rows.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, migrated_db: Path) -> Callable[..., Whole]:
    """What a run that is not interrupted leads to; it is measured once."""
    known: list[Whole] = []

    def run(overrides: list[str]) -> Whole:
        if not known:
            timed, folder = (tmp_path_factory.mktemp(name) for name in ("timed", "whole"))
            for each in (timed, folder):
                (each / "mlflow.db").write_bytes(migrated_db.read_bytes())
            start = time.monotonic()
            begin(run_whole, [*overrides, f"output_dir={timed}"]).join()
            seconds = time.monotonic() - start
            metrics = twotower.run([*overrides, f"output_dir={folder}"]).metrics
            known.append(Whole(metrics, history(folder, only_run(folder)), seconds))
        return known[0]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed(
    moment: str,
    small: list[str],
    output_dir: Path,
    whole: Callable[[list[str]], Whole],
) -> None:
    overrides = [*small, EVERY_EPOCH]
    killed(moment, overrides)
    result = twotower.run(overrides)
    expected = whole(overrides)
    assert result.metrics == expected.metrics
    run = only_run(output_dir)
    assert run.info.status == "FINISHED"
    assert run.info.run_id == result.run_id
    found = history(output_dir, run)
    assert found == expected.history
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    for name in run.data.metrics:
        steps = [row.step for row in client.get_metric_history(run.info.run_id, name)]
        assert len(steps) == len(set(steps)), name
    assert not (output_dir / "unfinished").exists()
    assert not list((output_dir / "outbox").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
@pytest.mark.parametrize("number", range(REPEATS))
def test_stopped_at_random_moments(
    name: str,
    number: int,
    small: list[str],
    output_dir: Path,
    whole: Callable[[list[str]], Whole],
) -> None:
    overrides = [*small, EVERY_EPOCH]
    expected = whole(overrides)
    draw = random.Random(f"{name} {number}")
    completed = 0
    for _ in range(draw.randint(1, 3)):
        process = begin(run_whole, overrides)
        process.join(draw.uniform(0, 1.5 * expected.seconds))
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.Signals[name])
        process.join(120)
        completed += process.exitcode == 0
    assert twotower.run(overrides).metrics == expected.metrics
    runs = all_runs(output_dir)
    assert [each.info.status for each in runs] == ["FINISHED"] * len(runs)
    assert len(runs) <= 2 + completed  # one may have been stopped after it had finished
    for each in runs:
        assert history(output_dir, each) == expected.history
    assert not (output_dir / "unfinished").exists()
    assert not list((output_dir / "outbox").iterdir())


@pytest.mark.slow
def test_an_orphan_is_ended_by_the_next_command(
    small: list[str], output_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed("selecting, second epoch", small)
    orphan = only_run(output_dir)
    assert orphan.info.status == "RUNNING"
    other = twotower.run([*small, "seed=1"])
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    ended = client.get_run(orphan.info.run_id)
    assert ended.info.status == "KILLED"
    assert ended.data.tags["error"] == "its process ended without closing the run"
    assert ended.info.end_time is not None
    assert ended.info.end_time <= time.time() * 1000
    assert other.run_id != orphan.info.run_id
    with caplog.at_level("INFO"):
        again = twotower.run(small)  # resumes the one that was ended
    assert again.run_id == orphan.info.run_id
    assert f"resuming the interrupted run {orphan.info.run_id}" in caplog.text
    reopened = client.get_run(orphan.info.run_id)
    assert reopened.info.status == "FINISHED"
    assert "error" not in reopened.data.tags
    assert twotower.run(small).run_id != orphan.info.run_id  # a finished run is run anew


@pytest.mark.slow
def test_new_and_false(small: list[str], output_dir: Path) -> None:
    for resume in ("new", "false"):
        killed("selecting, second epoch", small)
        (left,) = (output_dir / "unfinished").glob("*/*/run_id")
        old = left.read_text()
        result = twotower.run([*small, f"resume={resume}"])
        assert result.run_id != old
        assert left.exists() == (resume == "false")
