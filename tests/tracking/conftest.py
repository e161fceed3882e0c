"""An experiment in a store that is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from twotower.tracking.mlflow_tracking import MlflowTracking


@pytest.fixture
def tracking(output_dir: Path) -> MlflowTracking:
    store, artifacts, outbox = (output_dir / name for name in ("mlflow.db", "artifacts", "outbox"))
    return MlflowTracking(f"sqlite:///{store}", "twotower", str(artifacts), str(outbox))
