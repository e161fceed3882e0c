"""How far a sweep is, from what it left in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from twotower.sweeping.outcome import Outcome
from twotower.sweeping.record import Record

__all__ = ["Status", "TrialStatus", "is_held", "status_of"]


@dataclass(frozen=True)
class TrialStatus:
    """state: how the trial ended (see Outcome), or `running`, `half done`, `missing`.

    value: the validation metric that trials are chosen by, where it is known.
    """

    name: str
    folder: str
    state: str
    value: float | None


@dataclass(frozen=True)
class Status:
    """A sweep; `when` something last changed in it; `running`: whether a process is at it."""

    record: Record
    running: bool
    trials: list[TrialStatus]
    when: datetime

    @property
    def counts(self) -> dict[str, int]:
        """Trials by state; those that the search has not asked for yet are missing too."""
        states = [trial.state for trial in self.trials]
        states += ["missing"] * (self.record.total - len(states))
        return {state: states.count(state) for state in dict.fromkeys(states)}

    @property
    def state(self) -> str:
        """In words."""
        if self.running:
            return "running"
        left = {"running", "half done", "missing", "failed"} & self.counts.keys()
        return "interrupted, the command below goes on" if left else "done"


def status_of(folder: Path) -> Status | None:
    """None where `folder` is not that of a sweep."""
    record = Record.load(folder)
    if record is None:
        return None
    trials = [_trial(folder / name, trial, record.monitor) for name, trial in record.trials.items()]
    latest = max(path.stat().st_mtime for path in folder.glob("**/*.json"))
    return Status(record, is_held(folder), trials, datetime.fromtimestamp(latest).astimezone())


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock of `folder`."""
    path = folder / ".lock"
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _trial(folder: Path, name: str, monitor: str) -> TrialStatus:
    outcome = Outcome.load(folder)
    if is_held(folder):
        state = "running"
    elif outcome is not None:
        state = outcome.state
    else:
        begun = any(folder.glob("*/*.ckpt")) or any(folder.glob("*/fitted.pt"))
        state = "half done" if begun else "missing"
    value = None if outcome is None else outcome.metrics.get(monitor)
    return TrialStatus(name, folder.name, state, value)
