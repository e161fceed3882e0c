"""Opens a tracking store, fresh ones too, when several processes come at once.

Two processes that both migrate a fresh database ruin it, so that one at a time opens it; and one
that is killed meanwhile ruins a SQLite file. So it migrates a new file, which replaces the old one.
"""

from __future__ import annotations

import logging
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage, Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from twotower.core.errors import ConfigError
from twotower.core.files import write_atomically
from twotower.core.imports import collection_paused
from twotower.core.secrets import mask
from twotower.tracking.address import default_artifacts, is_server, sqlite_path
from twotower.tracking.artifact_places import check_artifacts
from twotower.tracking.locks import store_lock
from twotower.tracking.server import check_server, database_error, store_errors

_SQLITE_SECONDS = 20
# What the UI shows an experiment as: model training, not work with language models.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
_MIGRATED = "alembic_version"
_TABLES = {"experiments", "runs", "metrics", "latest_metrics", "params", "tags"}
_log = logging.getLogger(__name__)


def open_store(uri: str) -> MlflowClient:
    """Return a client of the store at a resolved `uri`. A missing SQLite file is created.

    Raises:
        ConfigError: No tracking server responds or it refuses, or the database cannot be used.
    """
    if is_server(uri) and not uri.startswith("databricks"):
        check_server(uri)
    try:
        with store_lock(uri), _quiet_migration():
            path = sqlite_path(uri)
            if path is not None:
                _check_sqlite(path) if is_there(path) else _create_sqlite(path)
            with collection_paused():  # it imports SQLAlchemy
                return MlflowClient(tracking_uri=uri)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"tracking.uri={mask(uri)} cannot be opened: {error}") from error
    except SQLAlchemyError as error:
        reason = database_error(error)
        raise ConfigError(f"tracking.uri={mask(uri)} cannot be opened: {reason}") from error
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tracking.uri={mask(uri)}: its driver {error.name!r} is not installed."
        ) from error
    except MlflowException as error:
        raise ConfigError(f"tracking.uri={mask(uri)} cannot be used: {mask(str(error))}") from error


def ensure_experiment(client: MlflowClient, uri: str, name: str, location: str | None) -> str:
    """Return the id of the experiment `name`; create it if it does not exist.

    Args:
        client: A client of the store.
        uri: The store.
        name: The experiment.
        location: Where a new experiment keeps its files; None means next to a SQLite file, and the
            choice of any other store.

    Raises:
        ConfigError: The experiment was deleted, or its files cannot be written.
    """
    with store_lock(uri), store_errors(uri):
        experiment = client.get_experiment_by_name(name)
        place = location or default_artifacts(uri)
        check_artifacts(place if experiment is None else experiment.artifact_location, uri)
        experiment = experiment or _create_experiment(client, name, place)
    if experiment.lifecycle_stage == LifecycleStage.DELETED:
        raise ConfigError(
            f"tracking.experiment_name={name!r} was deleted in {mask(uri)}. Restore it with "
            f"`MLFLOW_TRACKING_URI='{mask(uri)}' mlflow experiments restore --experiment-id "
            f"{experiment.experiment_id}`, or choose another tracking.experiment_name."
        )
    if location is not None and experiment.artifact_location.rstrip("/") != location.rstrip("/"):
        _log.warning(
            "Experiment %r keeps its files in %s, as it was created, not in %s "
            "(tracking.artifact_location).",
            name,
            mask(experiment.artifact_location),
            mask(location),
        )
    return str(experiment.experiment_id)


def _create_experiment(client: MlflowClient, name: str, location: str | None) -> Experiment:
    try:
        return client.get_experiment(client.create_experiment(name, location, tags=_KIND))
    except MlflowException as error:
        faster = client.get_experiment_by_name(name)  # created by another process in between
        if faster is None:
            raise ConfigError(
                f"tracking.experiment_name={name!r} cannot be created: {mask(str(error))}"
            ) from error
        return faster


def get_run(client: MlflowClient, run_id: str) -> Run | None:
    """Return the run, deleted ones too; None if the store has never had it."""
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def is_there(path: Path) -> bool:
    """Return whether a SQLite file has been created; an empty one counts as missing."""
    return path.exists() and path.stat().st_size > 0


def _check_sqlite(path: Path) -> None:
    """Raise an error at once if the file cannot be used; MLflow would retry for minutes."""
    with closing(sqlite3.connect(path, timeout=_SQLITE_SECONDS)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in found}
    missing = sorted(_TABLES - tables)
    if (
        missing and _MIGRATED in tables
    ):  # MLflow would create some with columns of its first version
        raise sqlite3.DatabaseError(
            f"it is damaged and has no table {', '.join(missing)}; restore it from a backup, or "
            "choose another file"
        )


def _create_sqlite(path: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    def write(fresh: Path) -> None:
        store = SqlAlchemyStore(  # type: ignore[no-untyped-call]
            f"sqlite:///{fresh}", default_artifacts(f"sqlite:///{path}")
        )
        store.engine.dispose()

    write_atomically(path, write)


@contextmanager
def _quiet_migration() -> Iterator[None]:
    """Hide log lines about created tables, and SQLAlchemy's warning about an option of MLflow."""
    logger = logging.getLogger("mlflow.store.db.utils")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The ``noload`` loader strategy")
            yield
    finally:
        logger.setLevel(level)
