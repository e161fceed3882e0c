"""A trial that a sweep has planned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twotower.sweeping.trial_spec import TrialSpec

__all__ = ["Trial"]


@dataclass(frozen=True)
class Trial:
    """A trial, before or after it ran.

    Attributes:
        line: overrides that make its config, without those that the launcher adds.
        folder: where it runs and where its result is saved.
        split_digest: identity of its prepared split.
    """

    spec: TrialSpec
    line: tuple[str, ...]
    folder: Path
    split_digest: str
