"""What a sweep notes of itself in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

__all__ = ["Record"]

_FILE = "sweep.json"


@dataclass(frozen=True)
class Record:
    """Name, command and trials of a sweep.

    parent_id: the tracked run that the trials stand under; None where nothing is tracked.
    total: trials that it will have. trials: name by folder, in the order they were begun.
    test: when the test part is scored. monitor: what trials are chosen by.
    """

    folder: Path
    name: str
    command: str
    parent_id: str | None
    total: int
    monitor: str
    trials: dict[str, str]

    @classmethod
    def load(cls, folder: Path) -> Record | None:
        """None where `folder` is not that of a sweep."""
        path = folder / _FILE
        if not path.exists():
            return None
        return cls(folder=folder, **json.loads(path.read_text()))

    def save(self, **changes: Any) -> Self:
        """Write it with `changes`, at once or not at all, and give back what was written."""
        changed = replace(self, **changes)
        content = {key: value for key, value in asdict(changed).items() if key != "folder"}
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".{_FILE}"
        unfinished.write_text(json.dumps(content, indent=1))
        unfinished.replace(self.folder / _FILE)
        return changed
