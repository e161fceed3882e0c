"""Real tracking servers, to be killed and stalled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow_server import Server

from twotower.tracking.mlflow_tracking import MlflowTracking


@pytest.fixture
def server(tmp_path: Path, migrated_db: Path) -> Iterator[Server]:
    with Server.in_folder(tmp_path / "server", migrated_db) as running:
        running.start()
        yield running


@pytest.fixture
def tracking(output_dir: Path) -> MlflowTracking:
    store, artifacts, outbox = (output_dir / name for name in ("mlflow.db", "artifacts", "outbox"))
    return MlflowTracking(f"sqlite:///{store}", "faults", str(artifacts), str(outbox))
