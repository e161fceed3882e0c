"""The progress of a sweep, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from twotower.sweeping.sweep_file import SweepFile
from twotower.sweeping.trial_result import TrialResult

__all__ = ["SweepProgress", "TrialProgress", "is_held", "progress_of"]


@dataclass(frozen=True)
class TrialProgress:
    """The progress of a trial.

    Attributes:
        state: how the trial ended (see TrialResult), or `running`, `half done`, `missing`.
        value: the validation metric that trials are ranked by; None if it is not known.
    """

    name: str
    folder: str
    state: str
    value: float | None


@dataclass(frozen=True)
class SweepProgress:
    """The progress of a sweep.

    Attributes:
        running: whether a process runs it.
        when: the time of its last change.
    """

    record: SweepFile
    running: bool
    trials: list[TrialProgress]
    when: datetime

    @property
    def counts(self) -> dict[str, int]:
        """Number of trials by state; those that the search has not asked for yet are missing."""
        states = [trial.state for trial in self.trials]
        states += ["missing"] * (self.record.total - len(states))
        return {state: states.count(state) for state in dict.fromkeys(states)}

    @property
    def state(self) -> str:
        """`running`, `done`, or that it was interrupted."""
        if self.running:
            return "running"
        left = {"running", "half done", "missing", "failed"} & self.counts.keys()
        return "interrupted, rerun the command below to resume" if left else "done"


def progress_of(folder: Path) -> SweepProgress | None:
    """Return the progress of the sweep in `folder`; None if there is none."""
    record = SweepFile.load(folder)
    if record is None:
        return None
    trials = [_trial(folder / name, trial, record.monitor) for name, trial in record.trials.items()]
    latest = max(path.stat().st_mtime for path in folder.glob("**/*.json"))
    return SweepProgress(
        record, is_held(folder), trials, datetime.fromtimestamp(latest).astimezone()
    )


def is_held(folder: Path) -> bool:
    """Return whether a process holds the lock of `folder`."""
    path = folder / ".lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _trial(folder: Path, name: str, monitor: str) -> TrialProgress:
    result = TrialResult.load(folder)
    if is_held(folder):
        state = "running"
    elif result is not None:
        state = result.state
    else:
        begun = any(folder.glob("*/*.ckpt")) or any(folder.glob("*/fitted.pt"))
        state = "half done" if begun else "missing"
    value = None if result is None else result.metrics.get(monitor)
    return TrialProgress(name, folder.name, state, value)
