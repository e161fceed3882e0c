"""What a run is told where it is one of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twotower.training import OnEpoch

__all__ = ["Pruned", "Trial"]


class Pruned(Exception):  # noqa: N818  (no error)
    """Raised at the end of an epoch by a search that has seen enough of the trial."""


@dataclass(frozen=True)
class Trial:
    """A run's part in a sweep.

    folder: of the trial; the run leaves there what it can go on from, and goes on from it.
    run_id: of the tracked run to go on with; None opens a new one.
    tags: of the tracked run.
    tests: whether the test part is scored.
    on_epoch: called after each epoch of the selection; may raise Pruned.
    """

    folder: Path
    run_id: str | None
    tags: Mapping[str, str]
    tests: bool
    on_epoch: OnEpoch
