"""Runs tracked by MLflow, in a SQLite file, a database or on a tracking server."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, RunInfo
from pydantic import Field

from twotower.config.identity import digest_of
from twotower.core.component import component
from twotower.core.errors import ConfigError
from twotower.core.secrets import mask
from twotower.core.writable import require_writable_folder
from twotower.tracking.address import is_server, resolve_artifact_location, resolve_uri
from twotower.tracking.base import Run
from twotower.tracking.delivery import Delivery, short_requests
from twotower.tracking.environment import environment_tags
from twotower.tracking.journal import Journal
from twotower.tracking.leftovers import (
    OUTBOX_TAG,
    journal_of,
    left_in,
    run_with,
    settle,
    settle_all,
    take_unopened,
)
from twotower.tracking.links import run_url
from twotower.tracking.mlflow_run import MlflowRun, logged_metrics, tag_value
from twotower.tracking.outbox import Outbox
from twotower.tracking.server import store_errors
from twotower.tracking.signals import deferred_interrupts
from twotower.tracking.store import ensure_experiment, get_run, open_store

Text = Annotated[str, Field(min_length=1)]

_PATIENCE_WHEN_STOPPED = 2.0  # seconds after Ctrl-C or SIGTERM
_log = logging.getLogger(__name__)


@component
@dataclass(frozen=True)
class MlflowTracking:
    """A `Tracking` in an MLflow store, which is opened at first use.

    It does not use MLflow's global state, so that one process can use several stores.

    Args:
        uri: The address of the store; a relative SQLite path is made absolute.
        experiment_name: The experiment, created at first use.
        artifact_location: Where a new experiment keeps its files; None leaves it to the store.
        outbox: The folder that keeps what runs log until the store has it.

    Raises:
        ConfigError: MLflow cannot track to `uri`, or another key contains credentials.
    """

    uri: Text
    experiment_name: Text
    artifact_location: str | None
    outbox: Text

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
        """Open a run with `config` and the tags of the environment; see `Tracking.run`.

        What earlier processes left in the outbox is delivered first. From then on a store in
        trouble raises nothing: see `Outbox`.
        """
        with deferred_interrupts():  # delivered once there is a run to end
            run = self._opened(name, config, tags, run_id)
        patience = None
        try:
            yield run
        except BaseException as error:
            run.fail(error)
            patience = None if isinstance(error, Exception) else _PATIENCE_WHEN_STOPPED
            raise
        else:
            run.finish()
        finally:
            run.outbox.close(patience)

    def has_run(self, run_id: str | None) -> bool:
        """See Tracking."""
        return run_id is not None and self._known(run_id) is not None

    def is_delivered(self, run_id: str | None) -> bool:
        """See Tracking."""
        return run_id not in left_in(self._outbox)

    def settle(self) -> None:
        """See Tracking."""
        if any(uri == mask(self.uri) for uri in left_in(self._outbox).values()):
            with short_requests():
                settle_all(self._outbox, self.uri, self._client, keep=None)

    def end_orphan(self, run_id: str) -> None:
        """See Tracking."""
        journal = journal_of(self._outbox, run_id)
        if journal is None:  # it was delivered, or its process is alive
            return
        with short_requests():
            try:
                settle(journal, self._client, self.uri)
            except Exception as error:  # of the store, its driver or the network
                _log.warning("run %s could not be ended: %s", run_id, mask(str(error)))
            finally:
                journal.close(remove=False)

    @property
    def _outbox(self) -> Path:
        return Path(self.outbox).absolute()

    def _opened(
        self,
        name: str,
        config: Mapping[str, Any] | None,
        tags: Mapping[str, str],
        run_id: str | None,
    ) -> MlflowRun:
        """Return the run, whose outbox has started."""
        require_writable_folder("tracking.outbox", self._outbox)
        with store_errors(self.uri), short_requests():
            known = None if run_id is None else self._known(run_id)
            run = self._reopened(known, tags) if known else self._created(name, config, tags)
            settle_all(self._outbox, self.uri, self._client, keep=run.id)
        run.outbox.start()
        return run

    def _reopened(self, known: RunInfo, tags: Mapping[str, str]) -> MlflowRun:
        run_id, experiment_id = known.run_id, str(known.experiment_id)
        journal = journal_of(self._outbox, run_id)
        about = {"run_id": run_id, "experiment_id": experiment_id}
        journal = journal or Journal.create(self._outbox, uri=mask(self.uri), **about)
        run = self._run(journal, run_id, experiment_id)
        run.outbox.deliver_now()
        run = replace(run, logged=logged_metrics(self._client, run_id))
        run.reopen({**environment_tags(), **tags})
        return run

    def _created(
        self, name: str, config: Mapping[str, Any] | None, tags: Mapping[str, str]
    ) -> MlflowRun:
        opens = digest_of([name, dict(tags)])
        journal = take_unopened(self._outbox, opens)
        run_id = None if journal is None else run_with(self._client, journal)
        journal = journal or Journal.create(
            self._outbox, uri=mask(self.uri), experiment_id=self.experiment_id, opens=opens
        )
        if run_id is None:
            all_tags = {**environment_tags(), OUTBOX_TAG: journal.folder.name, **tags}
            stored = {key: tag_value(value) for key, value in all_tags.items()}
            created = self._client.create_run(self.experiment_id, run_name=mask(name), tags=stored)
            run_id = created.info.run_id
        run = self._run(journal, run_id, self.experiment_id)
        try:
            if config is not None:
                run.log_config(config)
        except Exception as error:
            run.fail(error)
            with suppress(Exception):
                run.outbox.deliver_now()
            journal.close(remove=not journal.has_waiting)
            raise
        journal.describe(run_id=run_id)
        return run

    def _run(self, journal: Journal, run_id: str, experiment_id: str) -> MlflowRun:
        delivery = Delivery(self._client, journal, run_id, experiment_id)
        outbox = Outbox(journal, delivery, self.uri)
        return MlflowRun(self._client, run_id, experiment_id, self._url(run_id), outbox, {})

    def _known(self, run_id: str) -> RunInfo | None:
        """Return the run; None if the store does not have it or has deleted it."""
        known = get_run(self._client, run_id)
        if known is None or known.info.lifecycle_stage == LifecycleStage.DELETED:
            return None
        return known.info

    def _url(self, run_id: str) -> str | None:
        if not is_server(self.uri) or self.uri.startswith("databricks"):
            return None
        return run_url(self.uri, self.experiment_id, run_id)
