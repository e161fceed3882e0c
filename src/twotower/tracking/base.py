"""The interface of tracking: a `Tracking` opens a `Run`, and results are logged to the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import polars as pl

if TYPE_CHECKING:  # matplotlib is slow to import and only plots need it
    from matplotlib.figure import Figure

# Exit code of a command whose results the store does not have yet: EX_TEMPFAIL of sysexits.h.
UNDELIVERED = 75

Context = Literal["train", "validation", "test"]


class Run(Protocol):
    """An open run. Files and folders of a run are relative paths with `/`."""

    @property
    def id(self) -> str | None:
        """None where nothing is tracked."""
        ...

    @property
    def experiment_id(self) -> str | None:
        """None where nothing is tracked."""
        ...

    @property
    def url(self) -> str | None:
        """The run's page on the tracking server; None where no server is known."""
        ...

    def log_metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log all `values` in one call; `step` is the epoch, None for values of the whole run."""
        ...

    def log_dataset(
        self, frame: pl.DataFrame, name: str, context: Context, digest: str, source: str
    ) -> None:
        """Log schema, row count and digest of the data; the rows are not copied."""
        ...

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Copy a file into `folder` of the run, None for its top."""
        ...

    def log_folder(self, path: Path, folder: str | None = None) -> None:
        """Copy the contents of `path` into `folder` of the run, None for its top."""
        ...

    def log_figure(self, figure: Figure, file: str) -> None:
        """Draw `figure` into `file`, whose suffix sets the format."""
        ...

    def log_frame(self, frame: pl.DataFrame, file: str) -> None:
        """Write `frame` as Parquet."""
        ...

    def log_text(self, text: str, file: str) -> None: ...

    def log_yaml(self, value: Mapping[str, Any], file: str) -> None:
        """Write plain nested containers as YAML and keep the order of keys."""
        ...

    def save_chart_view(
        self, params: Sequence[str], metrics: Sequence[str], runs: Sequence[str]
    ) -> None:
        """Save a view of the child runs, with this run's id as its key, and give each of `runs` its
        own colour."""
        ...

    def save_overview(self, monitor: str) -> None:
        """Save the view of this run's experiment, ordered by `monitor`."""
        ...

    def log_model(
        self, folder: Path, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        """Log the MLflow model in `folder` as the model of the run, `runs:/<id>/model`, with
        `metrics` that the run has logged at `step`."""
        ...

    def set_description(self, markdown: str) -> None:
        """Set the text at the top of the run's page."""
        ...

    def set_tags(self, tags: Mapping[str, str]) -> None: ...


class Tracking(Protocol):
    """A choice of the config group `tracking`."""

    def run(
        self,
        *,
        name: str,
        config: Mapping[str, Any] | None,
        tags: Mapping[str, str],
        run_id: str | None = None,
    ) -> AbstractContextManager[Run]:
        """Open a run that ends with the context.

        The run ends FINISHED; FAILED after an `Exception`; KILLED after any other exception, which
        is Ctrl-C or a SIGTERM turned into SystemExit. The exception propagates.

        Args:
            name: The name of the run.
            config: The resolved config as plain nested containers; None logs no config.
            tags: Added to the tags of the environment. The tag `mlflow.parentRunId` puts the run
                under a parent.
            run_id: An earlier run to reopen with the config it has. If it no longer exists, a new
                run is opened.
        """
        ...

    def has_run(self, run_id: str | None) -> bool:
        """Return whether the store has that run; always true where nothing is tracked."""
        ...

    def is_delivered(self, run_id: str | None) -> bool:
        """Return whether the store has everything that a closed run has logged."""
        ...

    def settle(self) -> None:
        """Deliver what earlier processes left undelivered, and end the runs that they left open."""
        ...

    def end_orphan(self, run_id: str) -> None:
        """End a run as KILLED if it is still open although its process is gone."""
        ...
