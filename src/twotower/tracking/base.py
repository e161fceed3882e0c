"""What the rest of twotower knows of tracking: a `Tracking` opens a `Run`, which takes results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import polars as pl

if TYPE_CHECKING:  # matplotlib is slow to import and only plots need it
    from matplotlib.figure import Figure

Context = Literal["train", "validation", "test"]


class Run(Protocol):
    """An open run. Files and folders in a run are written as relative paths with `/`."""

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
        """Note which data went in: schema, row count and digest; the rows are not copied."""
        ...

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Copy a file into `folder` of the run, None for its top."""
        ...

    def log_folder(self, path: Path, folder: str | None = None) -> None:
        """Copy what is in `path` into `folder` of the run, None for its top."""
        ...

    def log_figure(self, figure: Figure, file: str) -> None:
        """Draw `figure` into `file`, whose suffix tells the format."""
        ...

    def log_frame(self, frame: pl.DataFrame, file: str) -> None:
        """Write `frame` as Parquet."""
        ...

    def log_text(self, text: str, file: str) -> None: ...

    def log_yaml(self, value: Mapping[str, Any], file: str) -> None:
        """Write plain nested containers as YAML, keys in their order."""
        ...

    def save_chart_view(
        self, params: Sequence[str], metrics: Sequence[str], runs: Sequence[str]
    ) -> None:
        """Save a view of the runs below this one, by the key `<id of this run>`, and give each of
        `runs` a colour of its own."""
        ...

    def save_overview(self, monitor: str) -> None:
        """Save the view of the experiment that holds this run, ordered by `monitor`."""
        ...

    def log_model(
        self, name: str, folder: str, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        """List the model in `folder` of the run among the models of the experiment, with `metrics`
        that the run has logged at `step`."""
        ...

    def set_description(self, markdown: str) -> None:
        """The text that stands at the head of the run's page."""
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
        """Open a run that is closed with the context.

        config: the whole resolved config as plain nested containers; None logs none.
        tags: added to what is noted of the environment. A run goes under a parent with the tag
            `mlflow.parentRunId`.
        run_id: of a run of earlier that is opened again, with the config that it has; a new one is
            opened where it is gone.

        The run ends FINISHED; FAILED after an `Exception`; KILLED after any other exception, that
        is Ctrl-C or a SIGTERM turned into SystemExit. The exception goes on to the caller.
        """
        ...

    def has_run(self, run_id: str | None) -> bool:
        """Whether the store holds that run; always true where nothing is tracked."""
        ...

    def end_orphan(self, run_id: str) -> None:
        """End a run as KILLED whose process is gone, if it is open still."""
        ...
