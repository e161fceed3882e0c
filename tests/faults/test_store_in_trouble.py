"""A tracking store that is killed, stalled or locked while a run logs to it: nothing is lost."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow_server import Server

from twotower.cli import main
from twotower.tracking.leftovers import sync
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.store import open_store

TWOTOWER = str(Path(sys.executable).with_name("twotower"))
WARNING = "training continues, and what it logs is kept in"


def on(uri: str, folder: Path) -> MlflowTracking:
    return MlflowTracking(uri, "faults", None, str(folder / "outbox"))


def wait_for_text(caplog: pytest.LogCaptureFixture, text: str, seconds: float) -> float:
    """Return the seconds until `text` is logged."""
    start = time.monotonic()
    while text not in caplog.text:
        assert time.monotonic() - start < seconds, caplog.text
        time.sleep(0.05)
    return time.monotonic() - start


def wait_until(what: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def history(uri: str, run_id: str | None, metric: str = "train/loss") -> list[tuple[int, float]]:
    """Return step and value of each row, in the order in which they were logged."""
    rows = MlflowClient(tracking_uri=uri).get_metric_history(str(run_id), metric)
    return [(row.step, row.value) for row in sorted(rows, key=lambda row: row.timestamp)]


@pytest.mark.slow
def test_a_server_that_is_killed_and_comes_back(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracking = on(server.uri, tmp_path)
    with tracking.run(name="survivor", config={"a": 1}, tags={}) as run:
        run.log_metrics({"train/loss": 1.0}, step=1)
        server.kill()
        started = time.monotonic()
        for step in range(2, 500):
            run.log_metrics({"train/loss": 1 / step}, step=step)
        run.log_text("in between", "note.txt")
        assert time.monotonic() - started < 2  # logging does not wait for the store
        assert wait_for_text(caplog, WARNING, seconds=10) < 5
        server.start()
        wait_for_text(caplog, "responds again", seconds=30)
        run.log_metrics({"train/loss": 0.0}, step=500)
    assert tracking.is_delivered(run.id)
    expected = [(1, 1.0), *((step, 1 / step) for step in range(2, 500)), (500, 0.0)]
    assert history(server.uri, run.id) == expected
    stored = open_store(server.uri).get_run(str(run.id))
    assert stored.info.status == "FINISHED"
    assert next(server.artifacts.rglob("note.txt")).read_text() == "in between"
    assert caplog.text.count(WARNING) == 1


@pytest.mark.slow
def test_a_server_that_stays_away(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracking = on(server.uri, tmp_path)
    with tracking.run(name="patient", config={"a": 1}, tags={}) as run:
        server.kill()
        run.log_metrics({"test/mrr": 0.5})
        run.log_text("kept", "note.txt")
        closes = time.monotonic()
    assert time.monotonic() - closes < 10
    assert not tracking.is_delivered(run.id)
    assert "`twotower sync` delivers them" in caplog.text
    (failed,) = sync(tmp_path / "outbox", "sqlite:///unrelated.db")
    assert failed.failed
    assert failed.run_id == run.id
    server.start()
    (done,) = sync(tmp_path / "outbox", "sqlite:///unrelated.db")
    assert (done.run_id, done.failed) == (run.id, False)
    assert sync(tmp_path / "outbox", "sqlite:///unrelated.db") == []
    assert tracking.is_delivered(run.id)
    assert history(server.uri, run.id, "test/mrr") == [(0, 0.5)]
    assert open_store(server.uri).get_run(str(run.id)).info.status == "FINISHED"


@pytest.mark.slow
def test_a_server_that_stalls_and_ctrl_c(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracking = on(server.uri, tmp_path)

    def work() -> None:
        with tracking.run(name="stalled", config={"a": 1}, tags={}) as run:
            server.send(signal.SIGSTOP)
            run.log_metrics({"train/loss": 1.0}, step=1)
            assert wait_for_text(caplog, WARNING, seconds=10) < 5
            run.log_metrics({"train/loss": 0.5}, step=2)
            interrupted.append(time.monotonic())
            raise KeyboardInterrupt

    interrupted: list[float] = []
    with pytest.raises(KeyboardInterrupt):
        work()
    assert time.monotonic() - interrupted[0] < 5
    server.send(signal.SIGCONT)
    tracking.settle()
    (stored,) = open_store(server.uri).search_runs([tracking.experiment_id])
    assert stored.info.status == "KILLED"
    assert history(server.uri, stored.info.run_id) == [(1, 1.0), (2, 0.5)]


@pytest.mark.slow
def test_sqlite_that_is_locked_for_a_minute(
    tracking: MlflowTracking, caplog: pytest.LogCaptureFixture
) -> None:
    path = tracking.uri.removeprefix("sqlite:///")
    with (
        tracking.run(name="locked", config={"a": 1}, tags={}) as run,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        locked = time.monotonic()
        for step in range(60):
            run.log_metrics({"train/loss": step}, step=step)
            time.sleep(max(0.0, locked + step - time.monotonic()))
        other.execute("COMMIT")
    assert WARNING in caplog.text
    assert tracking.is_delivered(run.id)
    assert history(tracking.uri, run.id) == [(step, step) for step in range(60)]


@pytest.mark.slow
def test_a_whole_run_whose_server_dies(
    server: Server, small: list[str], output_dir: Path, tmp_path: Path
) -> None:
    where = ["tracking=server", f"tracking.uri={server.uri}"]
    with subprocess.Popen(
        [TWOTOWER, "train", *small, "trainer.max_epochs=30", *where],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: [*output_dir.glob("outbox/*/delivered")])  # the run has begun
        server.kill()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
    assert "NDCG@10" in out
    assert "`twotower sync` delivers them" in err
    server.start()
    main(["sync", f"output_dir={output_dir}"])
    client = open_store(server.uri)
    experiment = client.get_experiment_by_name("twotower")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert {"test/ndcg_at_10", "train/seconds"} <= run.data.metrics.keys()
    epochs = history(server.uri, run.info.run_id, "val/ndcg_at_10")
    assert [step for step, _ in epochs] == [*range(1, len(epochs) + 1)]
    assert next(server.artifacts.rglob("recommendations.parquet")).stat().st_size > 0
