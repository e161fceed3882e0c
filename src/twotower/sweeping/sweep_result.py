"""The result of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twotower.sweeping.sweep_settings import SweepSettings
from twotower.sweeping.sweep_spec import SweepSpec
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.trial_spec import Trial
from twotower.tracking.base import Run

__all__ = ["SweepResult"]


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep, to be reported.

    Attributes:
        config: the resolved config of its first setting.
        run: the sweep's own tracked run, still open.
    """

    table: SweepTable
    trials: Sequence[Trial]
    spec: SweepSpec
    config: Mapping[str, Any]
    settings: SweepSettings
    run: Run
