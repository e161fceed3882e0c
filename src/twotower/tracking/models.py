"""Finds models: of a run, or in MLflow's registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from twotower.core.errors import RunNotFoundError
from twotower.core.secrets import mask
from twotower.tracking.load import FoundRun, find_run, found_run, open_existing
from twotower.tracking.logged_model import MODEL_NAME
from twotower.tracking.store import get_run
from twotower.tracking.tags import KEPT, MODEL_TAG

__all__ = ["FoundModel", "download_model", "find_model"]

_RUN_URI = re.compile(r"runs:/(?P<id>[^/]+)(?:/.*)?")
_MODEL_ID = re.compile(r"models:/(?P<id>m-[0-9a-f]+)")
_ALIAS = re.compile(r"models:/(?P<name>[^/@]+)@(?P<alias>[^/@]+)")
_VERSION = re.compile(r"models:/(?P<name>[^/@]+)/(?P<version>\d+)")
_FORMS = "models:/<name>@<alias>, models:/<name>/<version> or models:/<id of a model>"


@dataclass(frozen=True)
class FoundModel:
    """A model in the store at `tracking_uri`.

    Attributes:
        uri: Its address in MLflow.
        run: The run that trained it; None if it no longer exists.
        location: The address of its files; None if there is no model.
    """

    tracking_uri: str
    uri: str
    run: FoundRun | None
    location: str | None

    @property
    def title(self) -> str:
        """What people call it: the run's name and id, or the address in the registry."""
        run = f"run {self.run.name} ({self.run.id})" if self.run is not None else ""
        if self.uri.startswith("models:"):
            return f"{self.uri}, {run}" if run else self.uri
        return run


def find_model(uri: str, experiment_name: str, model: str) -> FoundModel:
    """Return a model.

    Args:
        uri: Of the store.
        experiment_name: Where runs are searched.
        model: A run as `find_run` takes it, `runs:/<id>`, or one of the registry:
            `models:/<name>@<alias>`, `models:/<name>/<version>`, `models:/<id of a model>`.

    Raises:
        RunNotFoundError: There is no such run or model.
    """
    if model.startswith("models:/"):
        return _registered(open_existing(uri), uri, model)
    named = _RUN_URI.fullmatch(model)
    run = find_run(uri, experiment_name, named["id"] if named else model)
    return FoundModel(
        uri, f"runs:/{run.id}/{MODEL_NAME}", run, _location_in_run(open_existing(uri), run.id)
    )


def download_model(found: FoundModel, destination: Path) -> Path:
    """Return the folder of the model, copied to `destination`.

    Raises:
        RunNotFoundError: There is no model.
    """
    if found.location is None:
        raise RunNotFoundError(_missing(found, ""))
    try:
        path = download_artifacts(
            artifact_uri=found.location,
            dst_path=str(destination),
            tracking_uri=found.tracking_uri,
        )
        return Path(path)
    except (MlflowException, OSError) as error:
        raise RunNotFoundError(_missing(found, f": {mask(str(error))}")) from error


def _missing(found: FoundModel, reason: str) -> str:
    why = found.run.tags.get(MODEL_TAG, KEPT) if found.run is not None else KEPT
    if found.run is not None and why != KEPT:
        return f"Run {found.run.id} ({found.run.name}) has no model: {why}."
    return f"{found.title} at {mask(found.tracking_uri)} has no model{reason}."


def _location_in_run(client: MlflowClient, run_id: str) -> str | None:
    run = client.get_run(run_id)
    outputs = run.outputs.model_outputs if run.outputs is not None else []
    if outputs:
        return _location(client, outputs[0].model_id)
    folder = client.list_artifacts(run_id, MODEL_NAME)  # of a server older than MLflow 3
    return f"{run.info.artifact_uri}/{MODEL_NAME}" if folder else None


def _location(client: MlflowClient, model_id: str) -> str:
    # MLflow itself resolves `models:/<id>` in the store that its environment names.
    location: str = client.get_logged_model(model_id).artifact_location
    return location


def _registered(client: MlflowClient, uri: str, model: str) -> FoundModel:
    try:
        run_id, location = _found(client, model)
    except MlflowException as error:
        names = ", ".join(each.name for each in client.search_registered_models())
        raise RunNotFoundError(
            f"No model {model!r} at {mask(uri)}: {mask(str(error))}. Registered models: "
            f"{names or 'none'}; `twotower register` adds one."
        ) from error
    known = get_run(client, run_id) if run_id else None
    return FoundModel(uri, model, found_run(known) if known is not None else None, location)


def _found(client: MlflowClient, model: str) -> tuple[str | None, str]:
    """Return the run that trained a model of the registry, and the address of its files."""
    if form := _MODEL_ID.fullmatch(model):
        logged = client.get_logged_model(form["id"])
        return logged.source_run_id, logged.artifact_location
    if form := _ALIAS.fullmatch(model):
        version = client.get_model_version_by_alias(form["name"], form["alias"])
    elif form := _VERSION.fullmatch(model):
        version = client.get_model_version(form["name"], form["version"])
    else:
        raise RunNotFoundError(f"run={model!r} is no address of a model; expected {_FORMS}")
    source = client.get_model_version_download_uri(version.name, version.version)
    logged_id = _MODEL_ID.fullmatch(source)
    return version.run_id, _location(client, logged_id["id"]) if logged_id else source
