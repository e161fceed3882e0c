"""Sends the entries of a journal to an MLflow store. Sending an entry twice changes nothing."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from twotower.core.secrets import mask
from twotower.tracking.chart_view import COLOR_TAG, VIEW_TAG, View, chart_view, color
from twotower.tracking.journal import Journal, JournalEntry
from twotower.tracking.locks import store_lock
from twotower.tracking.logged_model import MODEL_NAME, log_model
from twotower.tracking.overview import MAX_VIEW, refresh_overview

__all__ = ["Delivery", "groups", "short_requests"]

_METRICS_A_CALL = 1000
_TAGS_A_CALL = 100
_BATCHED = ("metrics", "tags")
_SHORT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
_log = logging.getLogger(__name__)


def groups(entries: Sequence[JournalEntry]) -> Iterator[list[JournalEntry]]:
    """Yield the entries in order; neighbours that one call can send come together."""
    batch: list[JournalEntry] = []
    for entry in entries:
        if entry.kind in _BATCHED:
            batch.append(entry)
            continue
        if batch:
            yield batch
            batch = []
        yield [entry]
    if batch:
        yield batch


@dataclass(frozen=True)
class Delivery:
    """Sends the entries of one run.

    Args:
        client: Of the store.
        journal: Of the run, which has the files that are sent.
        run_id: The run.
        experiment_id: Its experiment.
    """

    client: MlflowClient
    journal: Journal
    run_id: str
    experiment_id: str

    def __post_init__(self) -> None:
        """Silence MLflow's own log of each failed attempt, a traceback; see `Outbox`."""
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

    def __call__(self, group: Sequence[JournalEntry]) -> None:
        """Send a group of `groups`; return once the store has it."""
        with short_requests():
            if group[0].kind in _BATCHED:
                self._batch(group)
            else:
                getattr(self, f"_{group[0].kind}")(**group[0].data)

    def _batch(self, group: Sequence[JournalEntry]) -> None:
        metrics = [
            Metric(name, value, entry.data["at"], entry.data["step"])
            for entry in group
            if entry.kind == "metrics"
            for name, value in entry.data["values"].items()
        ]
        tags = {k: v for e in group if e.kind == "tags" for k, v in e.data["tags"].items()}
        entities = [RunTag(key, value) for key, value in tags.items()]
        for start in range(0, len(metrics), _METRICS_A_CALL):
            self.client.log_batch(self.run_id, metrics=metrics[start : start + _METRICS_A_CALL])
        for start in range(0, len(entities), _TAGS_A_CALL):
            self.client.log_batch(self.run_id, tags=entities[start : start + _TAGS_A_CALL])

    def _file(self, file: str, folder: str | None) -> None:
        self.client.log_artifact(self.run_id, str(self.journal.staged(file)), folder)

    def _dataset(self, dataset: dict[str, str], context: str) -> None:
        tags = [InputTag(MLFLOW_DATASET_CONTEXT, context)]
        self.client.log_inputs(self.run_id, [DatasetInput(Dataset(**dataset), tags)])

    def _model(self, file: str, metrics: dict[str, float], step: int, at: int) -> None:
        folder = self.journal.staged(file)
        try:
            log_model(self.client, self.run_id, folder, metrics, step, at)
        except (MlflowException, AttributeError) as error:
            if isinstance(error, MlflowException) and error.error_code != "ENDPOINT_NOT_FOUND":
                raise
            # The server is older than MLflow 3.
            _log.info("the model is a folder of the run only: %s", mask(str(error)))
            self.client.log_artifacts(self.run_id, str(folder), MODEL_NAME)

    def _chart_view(self, params: list[str], metrics: list[str], runs: list[str]) -> None:
        view = chart_view(View(params, metrics, parent_id=self.run_id))
        if len(view) <= MAX_VIEW:
            self.client.set_experiment_tag(self.experiment_id, f"{VIEW_TAG}{self.run_id}", view)
        for number, run_id in enumerate(runs):
            self.client.set_tag(run_id, COLOR_TAG, color(number))

    def _overview(self, monitor: str) -> None:
        with store_lock(self.client.tracking_uri):
            refresh_overview(self.client, self.experiment_id, monitor)

    def _end(self, status: str, at: int) -> None:
        self.client.set_terminated(self.run_id, status, at)


_lock = threading.Lock()
_users = 0  # contexts that are open, in all threads
_added: list[str] = []


@contextmanager
def short_requests() -> Iterator[None]:
    """Make a request of MLflow's fail after 30 s inside the context, where it would try for 520 s.

    Settings in the user's environment take precedence.
    """
    global _users
    with _lock:
        if not _users:
            _added[:] = [key for key in _SHORT if key not in os.environ]
            os.environ.update({key: _SHORT[key] for key in _added})
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                for key in _added:
                    os.environ.pop(key, None)
