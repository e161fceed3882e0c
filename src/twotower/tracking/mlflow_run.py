"""An open MLflow run."""

from __future__ import annotations

import math
import re
import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import polars as pl
import yaml
from mlflow import MlflowClient
from mlflow.entities import Param
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from twotower.core.errors import ConfigError
from twotower.core.secrets import mask, mask_all
from twotower.tracking.base import Context
from twotower.tracking.datasets import dataset_fields
from twotower.tracking.outbox import Outbox
from twotower.tracking.params import flat_params
from twotower.tracking.signals import deferred_interrupts

if TYPE_CHECKING:  # matplotlib is slow to import and only plots need it
    from matplotlib.figure import Figure

CONFIG_FILE = "config.yaml"
TRACEBACK_FILE = "traceback.txt"
DESCRIPTION_FILE = "description.md"
ERROR_TAG = "error"
MAX_TAG = 5000  # what databases with the narrowest column hold
_METRIC_NAME = re.compile(r"[\w.: -]+(?:/[\w.: -]+)*")
_MAX_NAME = 250
_PARAMS_A_CALL = 100
_DOTS_PER_INCH = 150
_OF_BASELINES = ("baseline/", "val_baseline/")


@dataclass(frozen=True)
class MlflowRun:
    """A `Run` in an MLflow store, which everything reaches through an outbox.

    Attributes:
        logged: The value of each metric by name and step that the run had before it was reopened.
            It is kept; only those of baselines are logged again, if others are compared.
    """

    client: MlflowClient
    id: str
    experiment_id: str
    url: str | None
    outbox: Outbox
    logged: Mapping[tuple[str, int], float]

    @deferred_interrupts()
    def log_config(self, config: Mapping[str, Any]) -> None:
        """Log the config as `config.yaml` and as flat params, without credentials.

        The params are in the store when this returns.
        """
        masked = mask_all(config)
        self.log_yaml(masked, CONFIG_FILE)
        params = [Param(key, value) for key, value in flat_params(masked, CONFIG_FILE).items()]
        for start in range(0, len(params), _PARAMS_A_CALL):
            self.client.log_batch(self.id, params=params[start : start + _PARAMS_A_CALL])

    def log_metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log all `values` at once.

        NaN is kept. An infinity is stored as NaN, and the tag `infinite.<metric>` records its sign
        and its last step.

        Raises:
            ConfigError: MLflow refuses a name. Nothing is written.
        """
        for name in values:
            _check_metric_name(name)
        new = {n: float(v) for n, v in values.items() if not self._has(n, float(v), step)}
        infinite = {name: value for name, value in new.items() if math.isinf(value)}
        storable = {**new, **dict.fromkeys(infinite, math.nan)}  # inf would become 1.8e308
        if storable:
            self.outbox.put("metrics", values=storable, step=step or 0, at=_now())
        if infinite:
            at = "" if step is None else f" at step {step}"
            self.set_tags({f"infinite.{name}": f"{value}{at}" for name, value in infinite.items()})

    def _has(self, name: str, value: float, step: int | None) -> bool:
        known = self.logged.get((name, step or 0))
        return known is not None and (known == value or not name.startswith(_OF_BASELINES))

    def log_dataset(
        self, frame: pl.DataFrame, name: str, context: Context, digest: str, source: str
    ) -> None:
        """Log schema, row count and digest under the name `<name>-<context>`."""
        fields = dataset_fields(frame, name, context, digest, source)
        self.outbox.put("dataset", dataset=fields, context=context)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """See Run."""
        self.outbox.put_file(path.name, lambda target: shutil.copyfile(path, target), folder)

    def log_folder(self, path: Path, folder: str | None = None) -> None:
        """See Run."""
        for file in sorted(path.rglob("*")):
            if file.is_file():
                below = PurePosixPath(folder or "", *file.relative_to(path).parent.parts)
                self.log_file(file, _folder(below))

    def log_figure(self, figure: Figure, file: str) -> None:
        """See Run."""
        self._write(file, lambda path: figure.savefig(path, dpi=_DOTS_PER_INCH))

    def log_frame(self, frame: pl.DataFrame, file: str) -> None:
        """See Run."""
        self._write(file, frame.write_parquet)

    def log_text(self, text: str, file: str) -> None:
        """See Run."""
        self._write(file, lambda path: path.write_text(mask(text), encoding="utf-8"))

    def log_yaml(self, value: Mapping[str, Any], file: str) -> None:
        """See Run."""
        masked = mask_all(value)
        self.log_text(yaml.safe_dump(masked, sort_keys=False, allow_unicode=True), file)

    def _write(self, file: str, write: Callable[[Path], object]) -> None:
        target = PurePosixPath(file)
        self.outbox.put_file(target.name, write, _folder(target.parent))

    def save_chart_view(
        self, params: Sequence[str], metrics: Sequence[str], runs: Sequence[str]
    ) -> None:
        """See Run."""
        self.outbox.put("chart_view", params=[*params], metrics=[*metrics], runs=[*runs])

    def save_overview(self, monitor: str) -> None:
        """See Run."""
        self.outbox.put("overview", monitor=monitor)

    def log_model(
        self, folder: Path, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        """See Run."""
        values = {key: float(value) for key, value in metrics.items()}
        self.outbox.put_model(folder, metrics=values, step=step or 0, at=_now())

    def set_description(self, markdown: str) -> None:
        """Show `markdown`. A text that is too long is cut, with a pointer to the whole."""
        if len(markdown) > MAX_TAG:
            self.log_text(markdown, DESCRIPTION_FILE)
        self.set_tags({MLFLOW_RUN_NOTE: _shorten(markdown, f"whole text: {DESCRIPTION_FILE}")})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """See Run."""
        self.outbox.put("tags", tags={key: tag_value(value) for key, value in tags.items()})

    @deferred_interrupts()
    def reopen(self, tags: Mapping[str, str]) -> None:
        """Resume a run that has ended, with any status."""
        self.client.update_run(self.id, status="RUNNING")
        if ERROR_TAG in self.client.get_run(self.id).data.tags:
            self.client.delete_tag(self.id, ERROR_TAG)
        self.set_tags(tags)

    @deferred_interrupts()
    def finish(self) -> None:
        """End the run as FINISHED."""
        self.outbox.put("end", status="FINISHED", at=_now())

    @deferred_interrupts()
    def fail(self, error: BaseException) -> None:
        """End the run after `error`: FAILED with a traceback after an `Exception`, else KILLED.

        If that fails, a note is added to `error` and nothing is raised.
        """
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        try:
            self.set_tags({ERROR_TAG: f"{type(error).__name__}: {error}".rstrip(": ")})
            if status == "FAILED":
                self.log_text("".join(traceback.format_exception(error)), TRACEBACK_FILE)
            self.outbox.put("end", status=status, at=_now())
        except OSError as closing:  # the disk is full
            error.add_note(f"Run {self.id} could not be ended as {status}: {mask(str(closing))}")


def logged_metrics(client: MlflowClient, run_id: str) -> dict[tuple[str, int], float]:
    """Return the first value of each metric of a run, by name and step."""
    histories = (client.get_metric_history(run_id, n) for n in client.get_run(run_id).data.metrics)
    found: dict[tuple[str, int], float] = {}
    for history in histories:
        for metric in sorted(history, key=lambda each: each.timestamp):
            found.setdefault((metric.key, metric.step), metric.value)
    return found


def _folder(path: PurePosixPath) -> str | None:
    return None if path == PurePosixPath() else str(path)


def _now() -> int:
    """Return the time as MLflow stores it, in ms."""
    return int(time.time() * 1000)


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
