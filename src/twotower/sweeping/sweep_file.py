"""What a sweep notes of itself in its folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from twotower.core.files import read_json, write_json

__all__ = ["SweepFile"]

_FILE = "sweep.json"


@dataclass(frozen=True)
class SweepFile:
    """Name, command and trials of a sweep.

    parent_id: the tracked run that the trials stand under; None where nothing is tracked.
    total: trials that it will have. trials: name by folder, in the order they were begun.
    monitor: what trials are chosen by.
    """

    folder: Path
    name: str
    command: str
    parent_id: str | None
    total: int
    monitor: str
    trials: dict[str, str]

    @classmethod
    def load(cls, folder: Path) -> SweepFile | None:
        """None where `folder` is not that of a sweep."""
        content = read_json(folder / _FILE)
        return None if content is None else cls(folder=folder, **content)

    def save(self, **changes: Any) -> Self:
        """Write it with `changes`, at once or not at all, and give back what was written."""
        changed = replace(self, **changes)
        content = {key: value for key, value in asdict(changed).items() if key != "folder"}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / _FILE, content)
        return changed
