"""Sweeps as people run, break off and go on with them: real processes and a real store."""

from __future__ import annotations

import signal
from pathlib import Path

import polars as pl
import pytest
from command_line import (  # type: ignore[import-not-found]
    call,
    refusal,
    runs,
    start,
    wait_for,
)
from mlflow import MlflowClient
from mlflow.entities import Run

from twotower.commands.sweep import SweepStatus
from twotower.tracking.store import open_store

pytestmark = pytest.mark.slow

AXES = ["tower.emb_dim=2,4", "negative_sampling.num_negatives=1,2"]
NAMES = {f"emb_dim={dim} num_negatives={n}" for dim in (2, 4) for n in (1, 2)}


@pytest.fixture
def short(small: list[str]) -> list[str]:
    """A run of an epoch or two, without what the sweeps here vary."""
    varied = ("tower.emb_dim", "negative_sampling.num_negatives", "trainer.max_epochs")
    return [o for o in small if not o.startswith(varied)] + ["trainer.max_epochs=2"]


def parent_and_trials(output_dir: Path) -> tuple[Run, dict[str, Run]]:
    """The one run without a parent, and those below it by name."""
    everything = runs(output_dir)
    (parent,) = [run for run in everything if "mlflow.parentRunId" not in run.data.tags]
    trials = {run.info.run_name: run for run in everything if run is not parent}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} <= {parent.info.run_id}
    assert len(trials) == len(everything) - 1
    return parent, trials


def store(output_dir: Path) -> MlflowClient:
    return open_store(f"sqlite:///{output_dir}/mlflow.db")


def is_tested(run: Run) -> bool:
    return "test/ndcg_at_10" in run.data.metrics


def test_a_sweep_is_one_run_with_its_trials_below(
    short: list[str], output_dir: Path, tmp_path: Path
) -> None:
    output = call("train", "-m", *short, *AXES, cwd=tmp_path)
    parent, trials = parent_and_trials(output_dir)
    assert set(trials) == NAMES
    assert {run.info.status for run in (parent, *trials.values())} == {"FINISHED"}
    for run in trials.values():
        for metric in ("ndcg", "hitrate", "coverage"):
            assert 0 <= run.data.metrics[f"val/{metric}_at_10"] <= 1

    # The test part is scored for the one that validation chose, and for no other.
    best = max(trials.values(), key=lambda run: run.data.metrics["val/ndcg_at_10"])
    assert [run.info.run_name for run in trials.values() if is_tested(run)] == [best.info.run_name]
    assert parent.data.metrics["best_val/ndcg_at_10"] == best.data.metrics["val/ndcg_at_10"]
    assert parent.data.metrics["best_test/ndcg_at_10"] == best.data.metrics["test/ndcg_at_10"]
    assert f"{best.data.metrics['val/ndcg_at_10']:.4f}" in output.stdout
    assert "4 trials: 4 finished" in output.stdout
    dim, n = (part.partition("=")[2] for part in best.info.run_name.split())
    (line,) = [line for line in output.stdout.splitlines() if line.startswith("best ")]
    assert line.endswith(f"tower.emb_dim={dim} negative_sampling.num_negatives={n}")

    # What a person finds in the sweep's run.
    files = {file.path for file in store(output_dir).list_artifacts(parent.info.run_id)}
    assert {"report.html", "table.csv", "table.parquet", "plots", "comparison"} <= files
    table = pl.read_parquet(next((output_dir / "sweeps").glob("*/table.parquet")))
    assert set(table["run_id"]) == {run.info.run_id for run in trials.values()}


def test_the_same_command_with_more_values_runs_what_is_missing(
    short: list[str], output_dir: Path, tmp_path: Path
) -> None:
    call("train", "-m", *short, "tower.emb_dim=2,4", cwd=tmp_path)
    parent, trials = parent_and_trials(output_dir)
    # A run that was deleted is missing; the order of overrides changes nothing.
    store(output_dir).delete_run(trials["emb_dim=4"].info.run_id)
    output = call("train", "-m", "tower.emb_dim=2,4,8", *short, cwd=tmp_path)
    assert "1 of 3 trials are done already" in output.stderr
    assert "3 trials: 3 finished" in output.stdout
    again, more = parent_and_trials(output_dir)
    assert again.info.run_id == parent.info.run_id
    assert set(more) == {"emb_dim=2", "emb_dim=4", "emb_dim=8"}
    assert more["emb_dim=2"].info.run_id == trials["emb_dim=2"].info.run_id
    assert more["emb_dim=4"].info.run_id != trials["emb_dim=4"].info.run_id
    assert {run.info.status for run in (again, *more.values())} == {"FINISHED"}


def test_diverged_and_failed_trials_are_reported_and_the_others_continue(
    short: list[str], output_dir: Path, tmp_path: Path
) -> None:
    # There are 40 items, which only the data can tell; and from 1e38 every loss is infinite.
    axes = ["negative_sampling.num_negatives=41,2", "tower.init_std=0.1,1e38"]
    output = call("train", "-m", *short, *axes, cwd=tmp_path, code=1)
    parent, trials = parent_and_trials(output_dir)
    assert {name: run.info.status for name, run in trials.items()} == {
        "num_negatives=41 init_std=0.1": "FAILED",
        "num_negatives=41 init_std=1e+38": "FAILED",
        "num_negatives=2 init_std=0.1": "FINISHED",
        "num_negatives=2 init_std=1e+38": "FAILED",
    }
    assert parent.info.status == "FAILED"
    assert "4 trials: 1 finished, 1 diverged, 2 failed" in output.stdout
    assert "num_negatives: got 41, but the train part has only 40 items" in output.stdout
    assert "2 failed and 1 diverged of 4 trials" in output.stderr
    assert [name for name, run in trials.items() if is_tested(run)] == [
        "num_negatives=2 init_std=0.1"
    ]


def lasting(short: list[str]) -> list[str]:
    """Trials of a few seconds, with a checkpoint after each epoch."""
    epochs = ["trainer.max_epochs=60", "trainer.patience=null", "trainer.checkpoint_seconds=0"]
    return [*[o for o in short if not o.startswith("trainer.max_epochs")], *epochs]


def test_after_a_kill_nothing_is_lost_nothing_runs_twice_and_nothing_comes_out_otherwise(
    short: list[str], output_dir: Path, tmp_path: Path
) -> None:
    command = ["train", "-m", *lasting(short), "tower.emb_dim=2,4,8"]
    sweeps = output_dir / "sweeps"
    with start(*command, cwd=tmp_path) as process:
        # One trial has ended and another is in its training.
        wait_for(lambda: any(sweeps.glob("*/*/outcome.json")))
        wait_for(lambda: any(sweeps.glob("*/*/selection/last.ckpt")))
        process.kill()
    parent, trials = parent_and_trials(output_dir)
    assert trials["emb_dim=2"].info.status == "FINISHED"
    assert trials["emb_dim=4"].info.status == "RUNNING"  # nobody was left to say otherwise
    seen = call("sweep", "status", cwd=tmp_path).stdout
    assert "interrupted, rerun the command below to resume: 1 finished, 1 half done" in seen

    output = call(*command, cwd=tmp_path)
    assert "1 of 3 trials are done already" in output.stderr
    again, whole = parent_and_trials(output_dir)
    assert again.info.run_id == parent.info.run_id
    assert set(whole) == {"emb_dim=2", "emb_dim=4", "emb_dim=8"}
    assert {run.info.status for run in (again, *whole.values())} == {"FINISHED"}
    for name, run in trials.items():
        assert whole[name].info.run_id == run.info.run_id
    # The half-done trial has each of its epochs. (The point after the last is the chosen epoch's,
    # said again for tables, which show the last one.)
    for run in whole.values():
        history = store(output_dir).get_metric_history(run.info.run_id, "train/loss")
        assert {point.step for point in history} == set(range(1, 62))
    assert "done: 3 finished of 3" in call("sweep", "status", cwd=tmp_path).stdout

    undisturbed = ["tracking=none", f"output_dir={tmp_path}/other"]
    call(*command, *undisturbed, cwd=tmp_path)
    here, there = (
        pl.read_parquet(next(folder.glob("sweeps/*/table.parquet")))
        for folder in (output_dir, tmp_path / "other")
    )
    same = [name for name in here.columns if name.startswith(("val/", "test/", "name"))]
    assert here[same].equals(there[same])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_sweep_is_killed_and_so_is_its_trial(
    short: list[str], output_dir: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with start("train", "-m", *lasting(short), "tower.emb_dim=2,4", cwd=tmp_path) as process:
        wait_for(lambda: any((output_dir / "sweeps").glob("*/*/selection/last.ckpt")))
        process.send_signal(number)
        assert process.wait(30) == code
    parent, trials = parent_and_trials(output_dir)
    assert parent.info.status == "KILLED"
    assert {run.info.status for run in trials.values()} == {"KILLED"}


def test_seeds_are_repeats_of_each_setting(
    short: list[str], output_dir: Path, tmp_path: Path
) -> None:
    output = call("train", *short, "seeds=2", "tower.emb_dim=2", cwd=tmp_path)
    parent, trials = parent_and_trials(output_dir)
    assert set(trials) == {"seed=0", "seed=1"}
    assert all(is_tested(run) for run in trials.values())  # of one setting, which is the best
    values = [run.data.metrics["val/ndcg_at_10"] for run in trials.values()]
    assert parent.data.metrics["best_val/ndcg_at_10"] == pytest.approx(sum(values) / 2)
    assert "2 trials: 2 finished" in output.stdout


def test_workers_share_a_fresh_store(short: list[str], tmp_path: Path) -> None:
    # No store is there before, and both workers begin at once.
    fresh = tmp_path / "fresh"
    own = [o for o in short if not o.startswith("output_dir")] + [f"output_dir={fresh}"]
    workers = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    call("train", "-m", *own, *AXES, *workers, cwd=tmp_path)
    _, trials = parent_and_trials(fresh)
    assert set(trials) == NAMES
    assert {run.info.status for run in trials.values()} == {"FINISHED"}


def test_workers_that_are_interrupted_leave_no_open_run(
    short: list[str], output_dir: Path, tmp_path: Path
) -> None:
    workers = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "trainer.max_epochs=100000"]
    with start("train", "-m", *lasting(short), *AXES, *workers, cwd=tmp_path) as process:
        wait_for(lambda: len(list((output_dir / "sweeps").glob("*/*/selection/last.ckpt"))) > 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    parent, trials = parent_and_trials(output_dir)
    assert parent.info.status == "KILLED"
    assert {run.info.status for run in trials.values()} == {"KILLED"}


def optuna(command: list[str], n_trials: int) -> list[str]:
    return [
        *command,
        "tower.emb_dim=int(interval(2,6))",
        "optimizer.lr=tag(log,interval(1e-3,1e-1))",
        "hydra/sweeper=optuna",
        f"hydra.sweeper.search.n_trials={n_trials}",
    ]


def test_a_search_resumes_where_it_stopped(
    short: list[str], output_dir: Path, tmp_path: Path
) -> None:
    call("train", "-m", *optuna(short, 2), cwd=tmp_path)
    _, first = parent_and_trials(output_dir)
    output = call("train", "-m", *optuna(short, 3), cwd=tmp_path)
    assert "2 of 2 trials are done already" in output.stderr
    _, more = parent_and_trials(output_dir)
    assert len(first) == 2
    assert len(more) == 3
    assert set(first) < set(more)
    for run in more.values():
        assert 2 <= int(run.data.params["emb_dim"]) <= 6
        assert 1e-3 <= float(run.data.params["lr"]) <= 1e-1


@pytest.mark.parametrize(
    ("message", "overrides"),
    [
        ("trainer.strategy: got ddp in a sweep", ["trainer=ddp"]),
        ("trainer.devices: got 2 in a sweep", ["trainer.devices=2"]),
        (
            "split.validation: got false, but a sweep ranks its trials on validation",
            ["split.validation=false", "trainer.patience=null", "trainer.refit=false"],
        ),
        ("hydra.sweeper.resume: got 'no'; must be one of true, false", ["hydra.sweeper.resume=no"]),
    ],
)
def test_what_cannot_be_swept_is_refused(
    short: list[str], output_dir: Path, message: str, overrides: list[str]
) -> None:
    assert message in refusal("train", "-m", *short, *overrides, "seed=0,1")
    assert runs(output_dir) == []


def test_two_of_the_same_sweep_at_once_are_refused(
    short: list[str], output_dir: Path, tmp_path: Path
) -> None:
    command = ["train", "-m", *lasting(short), "trainer.max_epochs=100000", "tower.emb_dim=2,4"]
    with start(*command, cwd=tmp_path) as process:
        wait_for(lambda: any((output_dir / "sweeps").glob("*/*/selection/last.ckpt")))
        assert "this sweep is running already" in refusal(*command)
        (status,) = SweepStatus(sweep=None, output_dir=str(output_dir))()
        assert status.state == "running"
        process.kill()
