"""The file that describes a sweep in its folder."""

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

    Attributes:
        parent_id: the parent of the tracked runs of the trials; None without tracking.
        total: number of trials when the sweep is done.
        monitor: the metric that trials are ranked by.
        trials: name by folder, in the order in which they were started.
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
        """Return the file in `folder`; None if it is not the folder of a sweep."""
        content = read_json(folder / _FILE)
        return None if content is None else cls(folder=folder, **content)

    def save(self, **changes: Any) -> Self:
        """Write the file with `changes`, atomically, and return what was written."""
        changed = replace(self, **changes)
        content = {key: value for key, value in asdict(changed).items() if key != "folder"}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / _FILE, content)
        return changed
