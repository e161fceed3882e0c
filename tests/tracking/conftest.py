"""An experiment in a store that is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from twotower.tracking.mlflow_tracking import MlflowTracking


@pytest.fixture
def tracking(output_dir: Path) -> MlflowTracking:
    return MlflowTracking(
        f"sqlite:///{output_dir}/mlflow.db", "twotower", str(output_dir / "artifacts")
    )
