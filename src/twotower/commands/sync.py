"""`twotower sync`: deliver what is left in the outbox."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twotower.core.component import component
from twotower.core.console import visible
from twotower.tracking.base import UNDELIVERED
from twotower.tracking.leftovers import Synced, sync
from twotower.tracking.mlflow_tracking import MlflowTracking

__all__ = ["Sync"]


@component
@dataclass(frozen=True)
class Sync:
    """Settings of the command; each is explained in conf/sync.yaml."""

    any_host: bool
    output_dir: str
    tracking: MlflowTracking

    def __call__(self) -> list[Synced]:
        """Deliver each run of the outbox to its store; print and return what became of it.

        Raises:
            SystemExit: With the code 75, if a run could not be delivered.
        """
        outbox = Path(self.tracking.outbox).absolute()
        done = sync(outbox, self.tracking.uri, any_host=self.any_host)
        for each in done:
            print(visible(f"run {each.run_id}: {each.text}"))
        if not done:
            print(visible(f"nothing to deliver in {outbox}"))
        if any(each.failed for each in done):
            raise SystemExit(UNDELIVERED)
        return done
