"""`twotower ui`: the MLflow UI on the store of the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from twotower.core.component import component
from twotower.core.console import visible
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.ui import serve

__all__ = ["Ui"]


@component
@dataclass(frozen=True)
class Ui:
    """Settings of the command; each is explained in conf/ui.yaml."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    open_browser: bool
    metric: str
    output_dir: str
    tracking: MlflowTracking

    def __call__(self) -> None:
        """Serve until Ctrl-C."""
        serve(
            uri=self.tracking.uri,
            experiment_name=self.tracking.experiment_name,
            artifact_location=self.tracking.artifact_location,
            metric=self.metric,
            host=self.host,
            port=self.port,
            open_browser=self.open_browser,
            report=_print_address,
        )


def _print_address(address: str) -> None:
    print(f"MLflow UI: {visible(address)}\nCtrl-C stops it", flush=True)
