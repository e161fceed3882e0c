"""Runs whose process is gone are ended by the next command; those of living processes never are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from mlflow import MlflowClient

from twotower.cli import main
from twotower.tracking.journal import Journal
from twotower.tracking.leftovers import ORPHAN, sync
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.store import open_store


@pytest.fixture
def tracking(output_dir: Path) -> MlflowTracking:
    places = (str(output_dir / name) for name in ("artifacts", "outbox"))
    return MlflowTracking(f"sqlite:///{output_dir}/mlflow.db", "twotower", *places)


@pytest.fixture
def client(tracking: MlflowTracking) -> MlflowClient:
    return open_store(tracking.uri)


def left(tracking: MlflowTracking, client: MlflowClient, name: str) -> Journal:
    """Return the journal of a run as a process that was killed leaves it, but for the lock."""
    run = client.create_run(tracking.experiment_id, run_name=name)
    about = {"run_id": run.info.run_id, "experiment_id": tracking.experiment_id}
    journal = Journal.create(Path(tracking.outbox), uri=tracking.uri, **about)
    journal.append("metrics", values={"train/loss": 0.5}, step=1, at=1)
    return journal


def status(client: MlflowClient, journal: Journal) -> str:
    return str(client.get_run(journal.about["run_id"]).info.status)


def moved(journal: Journal) -> None:
    """Make the journal that of a process on another host, whose lock is not seen here."""
    about = journal.folder / "run.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "host": "elsewhere"}))


@pytest.mark.parametrize(
    "command",
    [
        ["compare", "runs=[a,b]"],
        ["recommend", "run=absent"],
        ["similar", "run=absent", "items=[1]"],
        ["export", "run=absent"],
        ["register", "run=absent", "name=shop"],
    ],
)
def test_commands_end_orphans(
    command: Sequence[str], tracking: MlflowTracking, client: MlflowClient, output_dir: Path
) -> None:
    dead, alive, away = (left(tracking, client, name) for name in ("dead", "alive", "away"))
    moved(away)
    for journal in (dead, away):
        journal.close(remove=False)
    with pytest.raises(SystemExit):  # there is no such run
        main([*command, f"output_dir={output_dir}"])
    alive.close(remove=False)
    ended = client.get_run(dead.about["run_id"])
    assert ended.info.status == "KILLED"
    assert ended.data.tags["error"] == ORPHAN
    assert ended.data.metrics == {"train/loss": 0.5}
    assert not dead.folder.exists()
    assert [status(client, each) for each in (alive, away)] == ["RUNNING", "RUNNING"]
    assert away.folder.exists()


def test_sync_leaves_runs_of_other_hosts(tracking: MlflowTracking, client: MlflowClient) -> None:
    away = left(tracking, client, "away")
    moved(away)
    away.close(remove=False)
    (refused,) = sync(Path(tracking.outbox), tracking.uri)
    assert refused.failed
    assert "it was logged on elsewhere: run `twotower sync` there" in refused.text
    assert status(client, away) == "RUNNING"
    (done,) = sync(Path(tracking.outbox), tracking.uri, any_host=True)
    assert not done.failed
    assert status(client, away) == "KILLED"
