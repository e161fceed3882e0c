"""Runs tracked by MLflow, in a SQLite file, a database or on a tracking server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from pydantic import Field

from twotower.core.component import component
from twotower.core.errors import ConfigError
from twotower.core.secrets import mask
from twotower.tracking.address import is_server, resolve_artifact_location, resolve_uri
from twotower.tracking.base import Run
from twotower.tracking.environment import environment_tags
from twotower.tracking.links import run_url
from twotower.tracking.mlflow_run import MlflowRun, tag_value
from twotower.tracking.signals import deferred_interrupts
from twotower.tracking.store import ensure_experiment, get_run, open_store

Text = Annotated[str, Field(min_length=1)]


@component
@dataclass(frozen=True)
class MlflowTracking:
    """A `Tracking` in an MLflow store, which is opened at first use.

    It does not use MLflow's global state, so that one process can use several stores.

    Args:
        uri: The address of the store; a relative SQLite path is made absolute.
        experiment_name: The experiment, created at first use.
        artifact_location: Where a new experiment keeps its files; None leaves it to the store.

    Raises:
        ConfigError: MLflow cannot track to `uri`, or another key contains credentials.
    """

    uri: Text
    experiment_name: Text
    artifact_location: str | None

    def __post_init__(self) -> None:
        for key in ("experiment_name", "artifact_location"):
            value = getattr(self, key)
            if value is not None and mask(value) != value:
                raise ConfigError(
                    f"tracking.{key}: got {value!r}, which contains a password or token, which "
                    "MLflow would store in plain text; credentials belong in the environment "
                    "variables of the store, such as AWS_SECRET_ACCESS_KEY"
                )
        uri = resolve_uri(self.uri)
        location = resolve_artifact_location(self.artifact_location, uri)
        object.__setattr__(self, "uri", uri)
        object.__setattr__(self, "artifact_location", location)

    @cached_property
    def _client(self) -> MlflowClient:
        return open_store(self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment's id. The store and the experiment are created if they do not exist."""
        return ensure_experiment(
            self._client, self.uri, self.experiment_name, self.artifact_location
        )

    @contextmanager
    def run(
        self,
        *,
        name: str,
        config: Mapping[str, Any] | None,
        tags: Mapping[str, str],
        run_id: str | None = None,
    ) -> Iterator[Run]:
        """Open a run with `config` and the tags of the environment; see `Tracking.run`."""
        run = None
        try:
            with deferred_interrupts():  # delivered once there is a run to end
                all_tags = {**environment_tags(), **tags}
                run = self._known(run_id)
                if run is not None:
                    run.reopen(all_tags)
                else:
                    run = self._create(name, all_tags)
                    if config is not None:
                        run.log_config(config)
            yield run
        except BaseException as error:
            if run is not None:
                run.fail(error)
            raise
        run.finish()

    def has_run(self, run_id: str | None) -> bool:
        """See Tracking."""
        return self._known(run_id) is not None

    def end_orphan(self, run_id: str) -> None:
        """See Tracking."""
        run = self._known(run_id)
        if run is not None and self._client.get_run(run_id).info.status == "RUNNING":
            run.fail(SystemExit("its process has ended"))

    def _create(self, name: str, tags: Mapping[str, str]) -> MlflowRun:
        stored = {key: tag_value(value) for key, value in tags.items()}
        created = self._client.create_run(self.experiment_id, run_name=mask(name), tags=stored)
        run_id = created.info.run_id
        return MlflowRun(self._client, run_id, self.experiment_id, self._url(run_id))

    def _known(self, run_id: str | None) -> MlflowRun | None:
        """Return the run; None if the store does not have it or has deleted it."""
        known = None if run_id is None else get_run(self._client, run_id)
        if known is None or known.info.lifecycle_stage == LifecycleStage.DELETED:
            return None
        id_, experiment_id = known.info.run_id, str(known.info.experiment_id)
        return MlflowRun(self._client, id_, experiment_id, self._url(id_))

    def _url(self, run_id: str) -> str | None:
        if not is_server(self.uri) or self.uri.startswith("databricks"):
            return None
        return run_url(self.uri, self.experiment_id, run_id)
