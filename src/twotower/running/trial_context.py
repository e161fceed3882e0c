"""What a run is told where it is one of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twotower.training import OnEpoch

__all__ = ["Pruned", "TrialContext", "noted_run"]

_RUN_NOTE = "run_id"  # file in the folder of a trial


class Pruned(BaseException):
    """Raised at the end of an epoch by a search that has seen enough of the trial.

    Like an interrupt it is no error, and nothing between it and the trial's end may catch it.
    """


@dataclass(frozen=True)
class TrialContext:
    """A run's part in a sweep.

    folder: of the trial; the run leaves there what it can go on from, and goes on from it.
    tags: of the tracked run.
    tests: whether the test part is scored.
    on_epoch: called after each epoch of the selection; may raise Pruned.
    """

    folder: Path
    tags: Mapping[str, str]
    tests: bool
    on_epoch: OnEpoch

    @property
    def run_id(self) -> str | None:
        """The tracked run to go on with; None where none was opened yet."""
        return noted_run(self.folder)

    def opened(self, run_id: str | None) -> None:
        """Note which run it is; it may end any time after that."""
        if run_id is not None:
            (self.folder / _RUN_NOTE).write_text(run_id)


def noted_run(folder: Path) -> str | None:
    """The id of the tracked run that a trial has opened; None where it has opened none."""
    note = folder / _RUN_NOTE
    return note.read_text() if note.exists() else None
