"""The traps of the store: races, the retired file store, deleted experiments, broken files."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from twotower.core.errors import ConfigError
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.store import open_store

PROCESSES, STEPS, METRICS = 4, 10, 5


TrackingAt = Callable[[str, str, str | None], MlflowTracking]


@pytest.fixture
def tracking_at(tmp_path: Path) -> TrackingAt:
    return partial(MlflowTracking, outbox=str(tmp_path / "outbox"))


LOGGING_PROCESS = """
import sys
from twotower.tracking.mlflow_tracking import MlflowTracking

uri, artifacts, outbox, name, steps, metrics = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
tracking = MlflowTracking(uri, "together", artifacts, outbox)
with tracking.run(name=name, config={"trial": name}, tags={}) as run:
    for step in range(int(steps)):
        run.log_metrics({f"val/metric_{n}": n + step for n in range(int(metrics))}, step)
    run.log_text(name, "name.txt")
"""


def test_processes_that_start_at_once_on_a_fresh_store(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/outputs/mlflow.db"
    arguments = [uri, str(tmp_path / "artifacts"), str(tmp_path / "outbox")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOGGING_PROCESS, *arguments, str(n), str(STEPS), str(METRICS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for n in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [(process.returncode, out) for process, out in zip(processes, outputs, strict=True)] == [
        (0, "")
    ] * PROCESSES

    client = open_store(uri)
    assert sorted(e.name for e in client.search_experiments()) == ["Default", "together"]
    experiment = client.get_experiment_by_name("together")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == [str(n) for n in range(PROCESSES)]
    for run in runs:
        assert run.info.status == "FINISHED"
        assert run.data.params == {"trial": run.info.run_name}
        for n in range(METRICS):
            history = client.get_metric_history(run.info.run_id, f"val/metric_{n}")
            assert [metric.value for metric in history] == [n + step for step in range(STEPS)]
        text = tmp_path / "artifacts" / run.info.run_id / "artifacts" / "name.txt"
        assert text.read_text() == run.info.run_name


FIRST_OPEN = """
import sys
from twotower.tracking.store import open_store
print("ready", flush=True)
open_store(sys.argv[1])
"""


def test_a_process_killed_while_it_migrates_leaves_no_broken_store(
    tmp_path: Path, tracking_at: TrackingAt
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with subprocess.Popen(
        [sys.executable, "-c", FIRST_OPEN, uri], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + 30
        while not any(file.stat().st_size > 50_000 for file in tmp_path.glob(".mlflow.db-*/*.db")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    assert not (tmp_path / "mlflow.db").exists()
    with tracking_at(uri, "twotower", None).run(name="after", config={}, tags={}) as run:
        run.log_metrics({"val/mrr": 0.5})
    assert run.id is not None
    assert open_store(uri).get_run(run.id).data.metrics == {"val/mrr": 0.5}


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "outputs"])
def test_the_file_store_is_refused(uri: str, tracking_at: TrackingAt) -> None:
    with pytest.raises(ConfigError) as caught:
        tracking_at(uri, "twotower", None)
    assert str(caught.value) == (
        f"tracking.uri={uri!r} is a folder: MLflow's file store, which MLflow no longer "
        "supports. "
        "Use a SQLite file: tracking.uri=sqlite:///outputs/mlflow.db"
    )


@pytest.mark.parametrize(
    "uri", ["ftp://me:hunter2@host", "sqlite://", "sqlite:///:memory:", "http:/host", "sqlite:///"]
)
def test_other_addresses_are_refused(uri: str, tracking_at: TrackingAt) -> None:
    with pytest.raises(
        ConfigError, match=r"is not an address that MLflow can track to\. It must be one of sqlite:"
    ):
        tracking_at(uri, "twotower", None)
    with pytest.raises(ConfigError, match=r"^(?!.*hunter2)"):
        tracking_at(uri, "twotower", None)


def test_a_path_with_a_percent_sign_is_refused(tracking_at: TrackingAt) -> None:
    with pytest.raises(ConfigError, match="the path must not contain '%'"):
        tracking_at("sqlite:////data/50%25/mlflow.db", "twotower", None)


def test_relative_paths_are_taken_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracking_at: TrackingAt
) -> None:
    monkeypatch.chdir(tmp_path)
    tracking = tracking_at("sqlite:///out/mlflow.db?timeout=5", "twotower", "out/artifacts")
    assert tracking.uri == f"sqlite:///{tmp_path}/out/mlflow.db?timeout=5"
    assert tracking.artifact_location == f"{tmp_path}/out/artifacts"


@pytest.mark.parametrize(
    ("uri", "given", "used"),
    [
        ("http://127.0.0.1:5000", "/data/artifacts", None),  # the server's own choice
        ("http://127.0.0.1:5000", "s3://bucket/path", "s3://bucket/path"),
        ("http://127.0.0.1:5000", "mlflow-artifacts:/x", "mlflow-artifacts:/x"),
        ("postgresql://host/db", "/data/artifacts", "/data/artifacts"),
        ("sqlite:////data/mlflow.db", None, None),
    ],
)
def test_where_files_go(
    uri: str, given: str | None, used: str | None, tracking_at: TrackingAt
) -> None:
    assert tracking_at(uri, "twotower", given).artifact_location == used


def test_without_a_location_files_go_next_to_the_store(
    output_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracking_at: TrackingAt
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    tracking = tracking_at(f"sqlite:///{output_dir}/mlflow.db", "twotower", None)
    with tracking.run(name="next", config={}, tags={}) as run:
        run.log_text("hello", "hello.txt")
    text = output_dir / "artifacts" / str(run.id) / "artifacts" / "hello.txt"
    assert text.read_text() == "hello"
    assert list(elsewhere.iterdir()) == []


def test_the_error_for_a_deleted_experiment_names_the_restore_command(
    tracking: MlflowTracking, tracking_at: TrackingAt
) -> None:
    experiment_id = tracking.experiment_id
    open_store(tracking.uri).delete_experiment(experiment_id)
    again = tracking_at(tracking.uri, "twotower", None)
    with pytest.raises(ConfigError) as caught:
        _ = again.experiment_id
    assert str(caught.value) == (
        f"tracking.experiment_name='twotower' was deleted in {tracking.uri}. Restore it with "
        f"`MLFLOW_TRACKING_URI='{tracking.uri}' mlflow experiments restore --experiment-id "
        f"{experiment_id}`, or choose another tracking.experiment_name."
    )
    open_store(tracking.uri).restore_experiment(experiment_id)
    assert again.experiment_id == experiment_id


def test_an_experiment_that_keeps_its_files_elsewhere_is_reported(
    tracking: MlflowTracking, caplog: pytest.LogCaptureFixture, tracking_at: TrackingAt
) -> None:
    first = tracking.experiment_id
    assert caplog.messages == []
    assert tracking_at(tracking.uri, "twotower", "/elsewhere").experiment_id == first
    assert caplog.messages == [
        f"Experiment 'twotower' keeps its files in {tracking.artifact_location}, as it was "
        "created, not in /elsewhere (tracking.artifact_location)."
    ]


def test_a_file_that_is_not_a_database_fails_at_once(
    tmp_path: Path, tracking_at: TrackingAt
) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("no database" * 100)
    tracking = tracking_at(f"sqlite:///{path}", "twotower", None)
    with pytest.raises(ConfigError, match="cannot be opened: file is not a database"):
        _ = tracking.experiment_id


def test_a_folder_that_cannot_be_created_fails_at_once(
    tmp_path: Path, tracking_at: TrackingAt
) -> None:
    (tmp_path / "outputs").write_text("a file")
    tracking = tracking_at(f"sqlite:///{tmp_path}/outputs/mlflow.db", "twotower", None)
    with pytest.raises(ConfigError, match=r"cannot be opened: .*File exists"):
        _ = tracking.experiment_id


def test_a_database_of_another_version_names_the_upgrade(
    output_dir: Path, tracking_at: TrackingAt
) -> None:
    with closing(sqlite3.connect(output_dir / "mlflow.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'old'")
        connection.commit()
    tracking = tracking_at(f"sqlite:///{output_dir}/mlflow.db", "twotower", None)
    with pytest.raises(ConfigError, match="mlflow db upgrade"):
        _ = tracking.experiment_id


def test_a_server_that_does_not_respond_fails_at_once(tracking_at: TrackingAt) -> None:
    with socket.socket() as probe:  # bound, not listening: connections are refused
        probe.bind(("127.0.0.1", 0))
        uri = f"http://me:hunter2@127.0.0.1:{probe.getsockname()[1]}"
        tracking = tracking_at(uri, "twotower", None)
        with pytest.raises(ConfigError) as caught:
            _ = tracking.experiment_id
    assert "no tracking server answers there" in str(caught.value)
    assert "use tracking=sqlite" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_two_stores_in_one_process_are_independent(
    tracking: MlflowTracking, tmp_path: Path, tracking_at: TrackingAt
) -> None:
    other = tracking_at(f"sqlite:///{tmp_path}/other/mlflow.db", "other", None)
    with (
        tracking.run(name="here", config={"a": 1}, tags={}) as here,
        other.run(name="there", config={"a": 2}, tags={}) as there,
    ):
        there.log_metrics({"val/mrr": 2.0})
        here.log_metrics({"val/mrr": 1.0})
    for store, run, value in ((tracking, here, 1.0), (other, there, 2.0)):
        assert run.id is not None
        data = open_store(store.uri).get_run(run.id).data
        assert (data.metrics["val/mrr"], data.params["a"]) == (value, str(int(value)))
