"""MLflow's registry of models: versions, and the aliases that point at them."""

from __future__ import annotations

import json

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from twotower.core.errors import RunNotFoundError
from twotower.core.secrets import mask
from twotower.tracking.address import is_server
from twotower.tracking.load import open_existing
from twotower.tracking.models import FoundModel

__all__ = ["register_model", "run_of_alias", "set_alias"]

_EXISTS = "RESOURCE_ALREADY_EXISTS"


def register_model(found: FoundModel, name: str) -> str:
    """Return the version of a run's model under `name`, which is registered if it is not yet.

    Raises:
        RunNotFoundError: The run has no model.
    """
    client = open_existing(found.tracking_uri)
    model_id = _model_id(client, found)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != _EXISTS:
            raise RunNotFoundError(f"name: {mask(str(error))}") from error
    run_id = found.run.id if found.run is not None else None
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.run_id == run_id:  # a run has one model
            return str(version.version)
    # A server resolves the id; in a database MLflow would look it up in another store.
    source = f"models:/{model_id}" if is_server(found.tracking_uri) else found.location
    assert source is not None, "a model has a location"
    created = client.create_model_version(
        name, source, run_id, model_id=model_id, await_creation_for=0, description=found.title
    )
    _link(client, model_id, name, created.version)
    return str(created.version)


def _link(client: MlflowClient, model_id: str, name: str, version: str | int) -> None:
    """Add the version to those that MLflow's pages of the model and of its run show."""
    tags = client.get_logged_model(model_id).tags
    known = json.loads(tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
    new = {"name": name, "version": version}
    if new not in known:
        client.set_logged_model_tags(model_id, {MLFLOW_MODEL_VERSIONS: json.dumps([*known, new])})


def set_alias(uri: str, name: str, alias: str, version: str) -> None:
    """Let `models:/<name>@<alias>` be that version."""
    open_existing(uri).set_registered_model_alias(name, alias, version)


def run_of_alias(uri: str, name: str, alias: str) -> ModelVersion | None:
    """Return the version that the alias points at; None if there is none."""
    try:
        return open_existing(uri).get_model_version_by_alias(name, alias)
    except MlflowException:
        return None


def _model_id(client: MlflowClient, found: FoundModel) -> str:
    run = client.get_run(found.run.id) if found.run is not None else None
    outputs = run.outputs.model_outputs if run is not None and run.outputs is not None else []
    if not outputs:
        raise RunNotFoundError(f"{found.title} has no model that can be registered.")
    model_id: str = outputs[0].model_id
    return model_id
