"""Tells a sweep: on the terminal, in its folder and in its tracked run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twotower.experiment import Experiment
from twotower.sweep.plan import PlannedTrial
from twotower.sweep.table import SweepTable
from twotower.tracking.base import Run

__all__ = ["tell"]


def tell(
    table: SweepTable,
    experiment: Experiment,
    command: str,
    run: Run,
    folder: Path,
    trials: Sequence[PlannedTrial],
) -> None:
    print(table.frame())
