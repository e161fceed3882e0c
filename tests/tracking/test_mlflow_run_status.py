"""A run ends FINISHED, FAILED or KILLED as it really ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy import event
from sqlalchemy.engine import Engine

from twotower.core.errors import ConfigError
from twotower.tracking.load import download
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.store import open_store


def only_run(tracking: MlflowTracking) -> Run:
    (run,) = open_store(tracking.uri).search_runs([tracking.experiment_id])
    return run


def test_finished(tracking: MlflowTracking) -> None:
    with tracking.run(name="good", config={}, tags={}) as run:
        assert only_run(tracking).info.status == "RUNNING"
    info = only_run(tracking).info
    assert (info.status, info.run_name, info.run_id) == ("FINISHED", "good", run.id)
    assert info.end_time >= info.start_time


def test_failed_with_the_text_and_the_traceback(tracking: MlflowTracking) -> None:
    with (
        pytest.raises(ValueError, match="the loss is not finite"),
        tracking.run(name="bad", config={}, tags={}),
    ):
        raise ValueError("the loss is not finite")
    run = only_run(tracking)
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "ValueError: the loss is not finite"
    text = download(tracking.uri, run.info.run_id, "traceback.txt").read_text()
    assert text.startswith("Traceback (most recent call last):")
    assert 'raise ValueError("the loss is not finite")' in text


def test_failed_where_the_config_cannot_be_logged(tracking: MlflowTracking) -> None:
    with (
        pytest.raises(ConfigError, match="Names may only contain"),
        tracking.run(name="bad", config={"tower@": 1}, tags={}),
    ):
        raise AssertionError("the run must not start")
    assert only_run(tracking).info.status == "FAILED"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), SystemExit(0)])
def test_killed(tracking: MlflowTracking, error: BaseException) -> None:
    with (
        pytest.raises(type(error)) as caught,
        tracking.run(name="stopped", config={}, tags={}),
    ):
        raise error
    assert caught.value is error
    run = only_run(tracking)
    assert run.info.status == "KILLED"
    assert run.data.tags["error"].startswith(type(error).__name__)


@pytest.mark.parametrize(
    ("raised", "status"), [(None, "FINISHED"), (KeyboardInterrupt(), "KILLED")]
)
def test_ctrl_c_while_the_run_is_closed(
    tracking: MlflowTracking,
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException | None,
    status: str,
) -> None:
    close = MlflowClient.set_terminated

    def interrupted(client: MlflowClient, *arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        close(client, *arguments)

    monkeypatch.setattr(MlflowClient, "set_terminated", interrupted)

    def work() -> None:
        with tracking.run(name="impatient", config={}, tags={}):
            if raised:
                raise raised

    with pytest.raises(KeyboardInterrupt):
        work()
    assert only_run(tracking).info.status == status


def test_an_interrupt_within_a_transaction_leaves_the_store_open(
    tracking: MlflowTracking,
) -> None:
    # Between the rows of one transaction: left open, it would lock the store against closing.
    interrupted: list[str] = []

    def on_insert(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO metrics") and not interrupted:
            interrupted.append(statement)
            os.kill(os.getpid(), signal.SIGINT)

    def work() -> None:
        with tracking.run(name="impatient", config={}, tags={}) as run:
            event.listen(Engine, "after_cursor_execute", on_insert)
            run.log_metrics({"a": 1.0, "b": 2.0})
            time.sleep(60)

    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        event.remove(Engine, "after_cursor_execute", on_insert)
    assert interrupted
    run = only_run(tracking)
    assert run.info.status == "KILLED"
    assert run.data.metrics == {"a": 1.0, "b": 2.0}


def test_an_unreachable_store_does_not_hide_the_error(
    tracking: MlflowTracking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*arguments: object) -> None:
        raise MlflowException("no route to https://me:hunter2@host")

    monkeypatch.setattr(MlflowClient, "set_terminated", gone)
    with (
        pytest.raises(KeyboardInterrupt),
        tracking.run(name="lost", config={}, tags={}) as run,
    ):
        raise KeyboardInterrupt
    assert "no route to https://***@host; 1 entries of this run are kept in" in caplog.text
    assert not tracking.is_delivered(run.id)
    monkeypatch.undo()
    tracking.settle()
    assert tracking.is_delivered(run.id)
    assert only_run(tracking).info.status == "KILLED"


TERMINATED_RUN = """
import sys, time
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.signals import terminate_on_sigterm

tracking = MlflowTracking(sys.argv[1], "twotower", None, sys.argv[2])
with terminate_on_sigterm(), tracking.run(name="terminated", config={}, tags={}):
    print("ready", flush=True)
    time.sleep(60)
"""


def test_sigterm_to_a_real_process(tracking: MlflowTracking) -> None:
    command = [sys.executable, "-c", TERMINATED_RUN, tracking.uri, tracking.outbox]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert (out, err) == ("", "")
    assert only_run(tracking).info.status == "KILLED"


def test_nothing_is_written_before_the_first_run(tmp_path: Path) -> None:
    MlflowTracking(
        f"sqlite:///{tmp_path}/outputs/mlflow.db", "twotower", None, str(tmp_path / "outbox")
    )
    assert list(tmp_path.iterdir()) == []
