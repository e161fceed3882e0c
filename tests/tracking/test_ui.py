"""The real UI in a real process, on a store with a run; then as a server that is logged to."""

from __future__ import annotations

import math
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import requests

from twotower.core.errors import ConfigError, RunNotFoundError
from twotower.tracking.links import run_url, view_url
from twotower.tracking.load import download, find_run
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.ui import LOOPBACK, serve

SERVING = """
import sys
from twotower.tracking.ui import serve

uri, artifacts, port = sys.argv[1:]
serve(uri=uri, experiment_name="twotower", artifact_location=artifacts, host="127.0.0.1",
      metric="test/ndcg_at_10", port=int(port), open_browser=False,
      report=lambda url: print(url, flush=True))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, migrated_db: Path) -> MlflowTracking:
    """A store with one run."""
    folder = tmp_path_factory.mktemp("ui")
    shutil.copy(migrated_db, folder / "mlflow.db")
    tracking = MlflowTracking(
        f"sqlite:///{folder}/mlflow.db", "twotower", f"{folder}/artifacts", f"{folder}/outbox"
    )
    with tracking.run(name="shown", config={"tower": {"emb_dim": 16}}, tags={}) as run:
        run.log_metrics({"test/ndcg_at_10": 0.15})
    return tracking


@pytest.fixture(scope="module")
def base(store: MlflowTracking) -> Iterator[str]:
    """The address of a UI that runs until the tests of this file are done."""
    port = free_port()
    command = [sys.executable, "-c", SERVING, store.uri, str(store.artifact_location), str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = f"http://{LOOPBACK}:{port}"
        try:
            printed = process.stdout.readline().strip()
            assert printed == view_url(address, store.experiment_id, "twotower")
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")  # Ctrl-C is how one leaves it
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=5)


def test_the_page_and_the_runs(base: str, store: MlflowTracking) -> None:
    page = requests.get(base, timeout=10)
    assert page.ok
    assert "<title>MLflow</title>" in page.text
    answer = requests.post(
        f"{base}/api/2.0/mlflow/runs/search",
        json={"experiment_ids": [store.experiment_id], "filter": "run_name = 'shown'"},
        timeout=10,
    )
    (run,) = answer.json()["runs"]
    assert run["info"]["status"] == "FINISHED"
    assert run["data"]["params"] == [{"key": "emb_dim", "value": "16"}]
    (metric,) = run["data"]["metrics"]
    assert (metric["key"], metric["value"]) == ("test/ndcg_at_10", 0.15)
    file = requests.get(
        f"{base}/get-artifact?path=config.yaml&run_uuid={run['info']['run_id']}", timeout=10
    )
    assert file.text == "tower:\n  emb_dim: 16\n"


def test_a_run_on_a_server(base: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # The path is local to this machine, so the server uses its own place instead.
    tracking = MlflowTracking(base, "remote", "/not/used", str(tmp_path / "outbox"))
    with tracking.run(name="sent", config={"a": 1}, tags={}) as run:
        run.log_metrics({"val/mrr": 0.5, "train/loss": math.nan, "val/loss": math.inf}, step=3)
        run.log_dataset(pl.DataFrame({"a": [1]}), "log", "train", "digest", "a file")
        run.log_frame(pl.DataFrame({"a": [1]}), "frames/a.parquet")
    assert run.id is not None
    assert run.experiment_id is not None
    assert run.url == run_url(base, run.experiment_id, run.id)
    found = find_run(base, "remote", "sent")
    assert found.status == "FINISHED"
    assert found.metrics["val/mrr"] == 0.5
    assert math.isnan(found.metrics["train/loss"])
    assert math.isnan(found.metrics["val/loss"])
    assert found.tags["infinite.val/loss"] == "inf at step 3"
    assert pl.read_parquet(download(base, found.id, "frames/a.parquet"))["a"].to_list() == [1]
    assert capfd.readouterr() == ("", "")


def test_only_the_address_of_a_server_is_reported_and_opened(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    _serve(base, 5000, reported)
    assert (reported, opened) == ([base], [])  # an experiment that does not exist yet has no page
    _serve(base, 5000, reported, open_browser=True)
    assert opened == [base]


def test_a_port_in_use_is_refused(store: MlflowTracking) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            _serve(store.uri, port, [])
    assert str(caught.value) == (
        f"port={port} of 127.0.0.1 cannot be used (Address already in use). If another program "
        f"uses it, choose another port, such as port={port + 1}."
    )


def test_nothing_to_show_yet(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="No runs yet"):
        _serve(f"sqlite:///{tmp_path}/mlflow.db", free_port(), [])


def _serve(uri: str, port: int, reported: list[str], *, open_browser: bool = False) -> None:
    serve(
        uri=uri,
        experiment_name="absent",
        artifact_location=None,
        metric="test/ndcg_at_10",
        host=LOOPBACK,
        port=port,
        open_browser=open_browser,
        report=reported.append,
    )
