"""MLflow on PostgreSQL: processes that log at the same time, and a database that crashes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fresh_processes import begin
from mlflow_server import Server, free_port
from postgres_server import PROGRAMS, Postgres, postgres
from sqlalchemy import create_engine, text

from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.store import open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAMS.exists(), reason="needs Debian's package postgresql"),
]
PROCESSES = 8


@pytest.fixture
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


def value(step: int) -> float:
    return 1 / (step + 1)


def log(uri: str, folder: str, number: int) -> None:
    """Log until the database is back, and 50 steps more; note how many."""
    tracking = MlflowTracking(uri, uri.partition(":")[0], f"{folder}/artifacts", f"{folder}/outbox")
    with tracking.run(name=str(number), config={"number": number}, tags={}) as run:
        Path(folder, f"{number}.begun").touch()
        step, last = 0, None
        while step != last:
            run.log_metrics({"train/loss": value(step)}, step=step)
            step += 1
            if last is None and Path(folder, "back").exists():
                last = step + 50
            time.sleep(0.01)
    Path(folder, f"{number}.steps").write_text(str(step))


def rows(database: Postgres) -> dict[str, list[tuple[int, float]]]:
    """Return step and value of every row of the metric, by the name of its run."""
    query = "SELECT r.name, m.step, m.value FROM metrics m JOIN runs r USING (run_uuid)"
    found: dict[str, list[tuple[int, float]]] = {}
    engine = create_engine(database.uri)
    with engine.connect() as connection:
        for name, step, value in connection.execute(text(f"{query} ORDER BY m.step")):
            found.setdefault(name, []).append((step, value))
    engine.dispose()
    return found


def test_no_row_is_lost_or_doubled(database: Postgres, tmp_path: Path) -> None:
    server = Server(database.uri, tmp_path / "artifacts", free_port(), tmp_path / "log")
    with server:
        server.start()  # of the processes, half log to it, half to the database
        uris = [server.uri, database.uri]
        processes = [
            begin(log, uris[number % 2], str(tmp_path), number) for number in range(PROCESSES)
        ]
        while len(list(tmp_path.glob("*.begun"))) < PROCESSES:
            assert all(process.is_alive() for process in processes)
            time.sleep(0.1)
        time.sleep(1)
        database.crash()
        time.sleep(2)
        database.start()
        (tmp_path / "back").touch()
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0] * PROCESSES
    steps = {path.stem: int(path.read_text()) for path in tmp_path.glob("*.steps")}
    assert len(steps) == PROCESSES
    assert min(steps.values()) > 50
    assert rows(database) == {
        name: [(step, value(step)) for step in range(count)] for name, count in steps.items()
    }
    client = open_store(database.uri)
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    assert [run.info.status for run in runs] == ["FINISHED"] * PROCESSES
    assert not list((tmp_path / "outbox").iterdir())
    assert database.password not in (tmp_path / "log").read_text()


def open_fresh(uri: str, folder: str, number: int) -> None:
    """Open a run in a database that has no table yet, or not all of them."""
    tracking = MlflowTracking(uri, "fresh", f"{folder}/artifacts", f"{folder}/outbox")
    with tracking.run(name=str(number), config=None, tags={}):
        pass


def test_an_empty_database_that_several_processes_open_at_once(
    database: Postgres, tmp_path: Path
) -> None:
    processes = [begin(open_fresh, database.uri, str(tmp_path), n) for n in range(4)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 4
