"""A migrated store costs seconds, so one is made for the session and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.store import open_store


@pytest.fixture(scope="session")
def migrated_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    open_store(f"sqlite:///{path}")
    return path


@pytest.fixture
def output_dir(tmp_path: Path, migrated_db: Path) -> Path:
    """An output directory whose store is ready and empty."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    shutil.copy(migrated_db, folder / "mlflow.db")
    return folder


@pytest.fixture
def tracking(output_dir: Path) -> MlflowTracking:
    return MlflowTracking(
        f"sqlite:///{output_dir}/mlflow.db", "twotower", str(output_dir / "artifacts")
    )
