"""What cannot work is one error before training: it names the place and what to set."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from fake_http import answering

import twotower
from twotower.core.errors import ConfigError
from twotower.tracking.artifact_places import check_artifacts


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, b"", ["(401)", "MLFLOW_TRACKING_USERNAME"]),
        (403, b"", ["(403)", "MLFLOW_TRACKING_TOKEN"]),
        (404, b"", ["(404)", "correct host, port and path"]),
        (500, b"oops", ["(500)", "see its own log"]),
        (200, b"<html>please log in</html>", ["text/html", "MLFLOW_TRACKING_TOKEN"]),
    ],
)
def test_a_server_that_refuses(status: int, body: bytes, told: list[str], small: list[str]) -> None:
    with answering(status, body) as uri, pytest.raises(ConfigError) as caught:
        twotower.run([*small, "tracking=server", f"tracking.uri={uri}"])
    message = str(caught.value)
    assert f"tracking.uri={uri}" in message
    assert all(text in message for text in told), message


def test_a_database_that_is_down(small: list[str]) -> None:
    where = ["tracking=server", "tracking.uri=postgresql+psycopg2://me:hunter2@127.0.0.1:1/mlflow"]
    with pytest.raises(ConfigError) as caught:
        twotower.run([*small, *where])
    message = str(caught.value)
    assert message.startswith("tracking.uri=postgresql+psycopg2://***@127.0.0.1:1/mlflow cannot")
    assert "Connection refused" in message


def test_a_database_whose_files_are_on_a_server() -> None:
    uri = "postgresql+psycopg2://127.0.0.1/mlflow"
    with pytest.raises(ConfigError, match=r"tracking\.uri=.* files on a tracking server"):
        check_artifacts("mlflow-artifacts:/1", uri)
    check_artifacts("mlflow-artifacts:/1", "http://127.0.0.1:5000")


@pytest.mark.parametrize("table", ["runs", "metrics", "tags", "experiments"])
def test_a_damaged_store(table: str, small: list[str], output_dir: Path) -> None:
    with closing(sqlite3.connect(output_dir / "mlflow.db")) as connection:
        connection.execute(f"DROP TABLE {table}")
        connection.commit()
    with pytest.raises(ConfigError, match=r"tracking\.uri=sqlite:.*mlflow\.db") as caught:
        twotower.run(small)
    assert table in str(caught.value)


@pytest.mark.parametrize("place", ["outbox", "artifacts"])
def test_a_file_in_place_of_a_folder(place: str, small: list[str], output_dir: Path) -> None:
    (output_dir / place).write_text("in the way")
    with pytest.raises(ConfigError, match=rf"tracking\..*{place}.*nothing can be written"):
        twotower.run(small)


def test_a_file_in_place_of_the_output_folder(untracked: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"output_dir: got .* nothing can be written"):
        twotower.run([*untracked, f"output_dir={tmp_path}/file"])


def test_a_read_only_output_folder(untracked: list[str]) -> None:
    with pytest.raises(ConfigError, match="output_dir: got '/proc/out', where nothing"):
        twotower.run([*untracked, "output_dir=/proc/out"])
