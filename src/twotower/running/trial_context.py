"""Sweep context passed to a single run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twotower.core.files import write_atomically
from twotower.training import OnEpoch

__all__ = ["Pruned", "TrialContext", "noted_run"]

_RUN_NOTE = "run_id"  # file in the folder of a trial


class Pruned(BaseException):
    """Raised at the end of an epoch by a search that stops the trial early.

    Like KeyboardInterrupt it is not an error, and only the code that runs trials catches it.
    """


@dataclass(frozen=True)
class TrialContext:
    """The context of a run that is a trial of a sweep.

    Attributes:
        folder: The trial's folder. It holds the checkpoints that the run resumes from.
        tags: Tags of the tracked run.
        tests: Whether the test part is scored.
        on_epoch: Called after each epoch of the selection; may raise Pruned.
    """

    folder: Path
    tags: Mapping[str, str]
    tests: bool
    on_epoch: OnEpoch

    @property
    def run_id(self) -> str | None:
        """The tracked run to resume; None if none was opened yet."""
        return noted_run(self.folder)

    def opened(self, run_id: str | None) -> None:
        """Record the id of the tracked run, so that it can be resumed after an interruption."""
        if run_id is not None:
            write_atomically(self.folder / _RUN_NOTE, lambda file: file.write_text(run_id))


def noted_run(folder: Path) -> str | None:
    """Return the id of the tracked run that a trial has opened; None if there is none."""
    note = folder / _RUN_NOTE
    return note.read_text() if note.exists() else None
