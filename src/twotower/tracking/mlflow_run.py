"""An open MLflow run."""

from __future__ import annotations

import logging
import math
import re
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import yaml
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from twotower.core.errors import ConfigError
from twotower.core.secrets import mask, mask_all
from twotower.tracking.base import Context
from twotower.tracking.chart_view import COLOR_TAG, VIEW_TAG, View, chart_view, color
from twotower.tracking.datasets import dataset_input
from twotower.tracking.logged_model import enter_model
from twotower.tracking.overview import MAX_VIEW, refresh_overview
from twotower.tracking.params import flat_params
from twotower.tracking.signals import deferred_interrupts
from twotower.tracking.store import store_lock

if TYPE_CHECKING:  # matplotlib is slow to import and only plots need it
    from matplotlib.figure import Figure

CONFIG_FILE = "config.yaml"
TRACEBACK_FILE = "traceback.txt"
DESCRIPTION_FILE = "description.md"
ERROR_TAG = "error"
MAX_TAG = 5000  # what databases with the narrowest column hold
_METRIC_NAME = re.compile(r"[\w.: -]+(?:/[\w.: -]+)*")
_MAX_NAME = 250
_METRICS_A_CALL = 1000
_PARAMS_A_CALL = 100
_DOTS_PER_INCH = 150
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MlflowRun:
    """A `Run` in an MLflow store.

    Signals do not interrupt a call to the store: an open transaction would keep SQLite locked, and
    the run could not be ended.
    """

    client: MlflowClient
    id: str
    experiment_id: str
    url: str | None

    @deferred_interrupts()
    def log_config(self, config: Mapping[str, Any]) -> None:
        """Log the config as `config.yaml` and as flat params, without credentials."""
        masked = mask_all(config)
        self.log_yaml(masked, CONFIG_FILE)
        params = [Param(key, value) for key, value in flat_params(masked, CONFIG_FILE).items()]
        for start in range(0, len(params), _PARAMS_A_CALL):
            self.client.log_batch(self.id, params=params[start : start + _PARAMS_A_CALL])

    @deferred_interrupts()
    def log_metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log all `values` at once.

        NaN is kept. An infinity is stored as NaN, and the tag `infinite.<metric>` records its sign
        and its last step.

        Raises:
            ConfigError: MLflow refuses a name. Nothing is written.
        """
        for name in values:
            _check_metric_name(name)
        infinite = {name: value for name, value in values.items() if math.isinf(value)}
        storable = {**values, **dict.fromkeys(infinite, math.nan)}  # inf would become 1.8e308
        now = int(time.time() * 1000)
        metrics = [Metric(key, float(value), now, step or 0) for key, value in storable.items()]
        for start in range(0, len(metrics), _METRICS_A_CALL):
            self.client.log_batch(self.id, metrics=metrics[start : start + _METRICS_A_CALL])
        if infinite:
            at = "" if step is None else f" at step {step}"
            self.set_tags({f"infinite.{name}": f"{value}{at}" for name, value in infinite.items()})

    @deferred_interrupts()
    def log_dataset(
        self, frame: pl.DataFrame, name: str, context: Context, digest: str, source: str
    ) -> None:
        """Log schema, row count and digest under the name `<name>-<context>`."""
        self.client.log_inputs(self.id, [dataset_input(frame, name, context, digest, source)])

    @deferred_interrupts()
    def log_file(self, path: Path, folder: str | None = None) -> None:
        self.client.log_artifact(self.id, str(path), folder)

    @deferred_interrupts()
    def log_folder(self, path: Path, folder: str | None = None) -> None:
        self.client.log_artifacts(self.id, str(path), folder)

    @deferred_interrupts()
    def log_figure(self, figure: Figure, file: str) -> None:
        self.client.log_figure(self.id, figure, file, save_kwargs={"dpi": _DOTS_PER_INCH})

    def log_frame(self, frame: pl.DataFrame, file: str) -> None:
        target = PurePosixPath(file)
        with TemporaryDirectory() as folder:
            path = Path(folder, target.name)
            frame.write_parquet(path)
            self.log_file(path, None if target.parent == PurePosixPath() else str(target.parent))

    @deferred_interrupts()
    def log_text(self, text: str, file: str) -> None:
        self.client.log_text(self.id, mask(text), file)

    def log_yaml(self, value: Mapping[str, Any], file: str) -> None:
        masked = mask_all(value)
        self.log_text(yaml.safe_dump(masked, sort_keys=False, allow_unicode=True), file)

    @deferred_interrupts()
    def save_chart_view(
        self, params: Sequence[str], metrics: Sequence[str], runs: Sequence[str]
    ) -> None:
        view = chart_view(View(params, metrics, parent_id=self.id))
        if len(view) <= MAX_VIEW:
            self.client.set_experiment_tag(self.experiment_id, f"{VIEW_TAG}{self.id}", view)
        for number, run_id in enumerate(runs):
            self.client.set_tag(run_id, COLOR_TAG, color(number))

    @deferred_interrupts()
    def save_overview(self, monitor: str) -> None:
        with store_lock(self.client.tracking_uri):
            refresh_overview(self.client, self.experiment_id, monitor)

    @deferred_interrupts()
    def log_model(
        self, name: str, folder: str, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        try:
            enter_model(
                self.client, self.experiment_id, self.id, mask(name), folder, metrics, step or 0
            )
        except (MlflowException, AttributeError) as error:  # the server is older than MLflow 3
            _log.info("the model is not listed by MLflow: %s", mask(str(error)))

    def set_description(self, markdown: str) -> None:
        """Show `markdown`. A text that is too long is cut, with a pointer to the whole."""
        if len(markdown) > MAX_TAG:
            self.log_text(markdown, DESCRIPTION_FILE)
        self.set_tags({MLFLOW_RUN_NOTE: _shorten(markdown, f"whole text: {DESCRIPTION_FILE}")})

    @deferred_interrupts()
    def set_tags(self, tags: Mapping[str, str]) -> None:
        entities = [RunTag(key, tag_value(value)) for key, value in tags.items()]
        for start in range(0, len(entities), _PARAMS_A_CALL):
            self.client.log_batch(self.id, tags=entities[start : start + _PARAMS_A_CALL])

    @deferred_interrupts()
    def reopen(self, tags: Mapping[str, str]) -> None:
        """Resume a run that has ended, with any status."""
        self.client.update_run(self.id, status="RUNNING")
        if ERROR_TAG in self.client.get_run(self.id).data.tags:
            self.client.delete_tag(self.id, ERROR_TAG)
        self.set_tags(tags)

    @deferred_interrupts()
    def finish(self) -> None:
        self.client.set_terminated(self.id, "FINISHED")

    @deferred_interrupts()
    def fail(self, error: BaseException) -> None:
        """End the run after `error`: FAILED with a traceback after an `Exception`, else KILLED.

        If that fails, a note is added to `error` and nothing is raised.
        """
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        try:
            self.client.set_terminated(self.id, status)
            self.set_tags({ERROR_TAG: f"{type(error).__name__}: {error}".rstrip(": ")})
            if status == "FAILED":
                text = "".join(traceback.format_exception(error))
                self.log_text(mask(text), TRACEBACK_FILE)
        except (MlflowException, OSError) as closing:
            error.add_note(f"Run {self.id} could not be ended as {status}: {mask(str(closing))}")


def _check_metric_name(name: str) -> None:
    """Raise ConfigError for a name that MLflow refuses."""
    if not _METRIC_NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise ConfigError(
            f"Metric name {name!r} cannot be tracked: MLflow accepts letters, digits and _ - . : "
            f"with / between the parts, at most {_MAX_NAME} characters. "
            "Write 'test/ndcg_at_10', not 'test/ndcg@10'."
        )


def tag_value(text: str) -> str:
    """Return `text` without credentials, short enough for a tag."""
    return _shorten(mask(text), "cut here")


def _shorten(text: str, pointer: str) -> str:
    if len(text) <= MAX_TAG:
        return text
    end = f" … ({len(text):,} characters; {pointer})"
    return text[: MAX_TAG - len(end)] + end
