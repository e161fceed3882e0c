"""The models of earlier runs, loaded for commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from twotower.serving.recommender import Recommender
from twotower.tracking.load import download
from twotower.tracking.mlflow_run import CONFIG_FILE
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.models import FoundModel, download_model, find_model

__all__ = ["found_model", "load_model", "trained_dataset"]


def found_model(tracking: MlflowTracking, model: str) -> FoundModel:
    """Return a model by a run or its address in the registry; see `find_model`."""
    return find_model(tracking.uri, tracking.experiment_name, model)


def load_model(found: FoundModel, allow_targets: Sequence[str]) -> Recommender:
    """Return the model itself; see `Recommender.load`."""
    with TemporaryDirectory(prefix="twotower-") as folder:
        return Recommender.load(download_model(found, Path(folder)), allow_targets)


def trained_dataset(found: FoundModel) -> dict[str, Any]:
    """Return the config node of the dataset that the model was trained on; empty if unknown."""
    if found.run is None:
        return {}
    with TemporaryDirectory(prefix="twotower-") as folder:
        config = download(found.tracking_uri, found.run.id, CONFIG_FILE, Path(folder))
        node: dict[str, Any] = yaml.safe_load(config.read_text("utf-8")).get("dataset", {})
        return node
