"""What a sweep tells the process that runs a trial."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twotower.core.files import read_json, write_json

__all__ = ["TrialSpec"]

_FILE = "trial.json"


@dataclass(frozen=True)
class TrialSpec:
    """What a sweep leaves in the folder of a trial, for the process that runs it.

    repeat: what makes it a repeat of its setting, such as `{"split.fold": 2, "seed": 0}`.
    baselines: digest of those that the trial is measured against.
    place: where it stands in the sweep, such as `3/12`; study: of the search, where it may prune.
    """

    hash: str
    name: str
    setting: str
    overrides: tuple[str, ...]
    varied: dict[str, Any]
    seed: int
    repeat: dict[str, Any]
    baselines: str
    place: str
    parent_id: str | None
    tests: bool
    study: dict[str, Any] | None

    def save(self, folder: Path) -> None:
        """For `load`, in another process."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _FILE, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> TrialSpec | None:
        """None where `folder` is not that of a trial."""
        content = read_json(folder / _FILE)
        if content is None:
            return None
        return cls(**{**content, "overrides": tuple(content["overrides"])})
