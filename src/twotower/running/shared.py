"""What the trials of a sweep share in one process: data and folds, read and encoded once.

Only time is saved: a trial computes the same numbers as the same run alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from twotower.types import Fold, Interactions, SplitFrames

__all__ = ["forget", "shared_data", "shared_fold"]

Data = tuple[Interactions, SplitFrames]


@dataclass(frozen=True)
class _Shared:
    """The latest data. Its folds are few: one per part, and one more for a test without refit."""

    key: str
    data: Data
    folds: dict[str, Fold] = field(default_factory=dict)


_latest: list[_Shared] = []  # one at most, so that the memory is that of one trial's data


def shared_data(key: str, load: Callable[[], Data]) -> Data:
    """Return the data of a trial: that of the trial before it, if it had the same key.

    Args:
        key: Names the data; equal keys must mean equal data.
        load: Reads it.
    """
    latest = _latest[0] if _latest else None
    if latest is None or latest.key != key:
        forget()
        latest = _Shared(key, load())
        _latest[:] = [latest]
    return latest.data


def shared_fold(frames: SplitFrames, name: str, make: Callable[[], Fold]) -> Fold:
    """Return the fold of that name, made once for data that trials share, else for this run."""
    latest = _latest[0] if _latest else None
    if latest is None or latest.data[1] is not frames:
        return make()
    if name not in latest.folds:
        latest.folds[name] = make()
    return latest.folds[name]


def forget() -> None:
    """Free the memory."""
    _latest.clear()
