"""No tracking: every call does nothing. Does not import MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from twotower.core.component import component
from twotower.tracking.base import Run


class NoRun:
    """A `Run` that keeps nothing."""

    id = None
    experiment_id = None
    url = None

    def _ignore(self, *args: Any, **kwargs: Any) -> None: ...

    log_metrics = log_dataset = log_model = set_description = set_tags = _ignore
    log_file = log_folder = log_figure = log_frame = log_text = log_yaml = _ignore
    save_chart_view = save_overview = _ignore


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

    def is_delivered(self, run_id: str | None) -> bool:
        return True

    def settle(self) -> None:
        pass

    def end_orphan(self, run_id: str) -> None:
        pass
