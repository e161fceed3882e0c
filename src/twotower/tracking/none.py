"""No tracking: every call does nothing. Does not import MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from twotower.core.component import component
from twotower.tracking.base import Context, Run

if TYPE_CHECKING:  # matplotlib is slow to import and only plots need it
    from matplotlib.figure import Figure


class NoRun:
    """A `Run` that keeps nothing."""

    id = None
    experiment_id = None
    url = None

    def log_metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        pass

    def log_dataset(
        self, frame: pl.DataFrame, name: str, context: Context, digest: str, source: str
    ) -> None:
        pass

    def log_file(self, path: Path, folder: str | None = None) -> None:
        pass

    def log_folder(self, path: Path, folder: str | None = None) -> None:
        pass

    def log_figure(self, figure: Figure, file: str) -> None:
        pass

    def log_frame(self, frame: pl.DataFrame, file: str) -> None:
        pass

    def log_text(self, text: str, file: str) -> None:
        pass

    def log_yaml(self, value: Mapping[str, Any], file: str) -> None:
        pass

    def save_chart_view(
        self, params: Sequence[str], metrics: Sequence[str], runs: Sequence[str]
    ) -> None:
        pass

    def save_overview(self, monitor: str) -> None:
        pass

    def log_model(
        self, name: str, folder: str, metrics: Mapping[str, float], step: int | None = None
    ) -> None:
        pass

    def set_description(self, markdown: str) -> None:
        pass

    def set_tags(self, tags: Mapping[str, str]) -> None:
        pass


@component
@dataclass(frozen=True)
class NoTracking:
    """A `Tracking` without a store."""

    @contextmanager
    def run(
        self,
        *,
        name: str,
        config: Mapping[str, Any] | None,
        tags: Mapping[str, str],
        run_id: str | None = None,
    ) -> Iterator[Run]:
        yield NoRun()

    def has_run(self, run_id: str | None) -> bool:
        return True

    def end_orphan(self, run_id: str) -> None:
        pass
