"""What a run has logged, on disk and in order, until the store has it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from twotower.core.files import read_json, write_json

__all__ = ["Journal", "JournalEntry", "journals"]

_ABOUT, _ENTRIES, _FILES, _LOCK, _MARK = "run.json", "journal.jsonl", "files", "lock", "delivered"
_AT_ONCE = 1000


@dataclass(frozen=True)
class JournalEntry:
    """One thing to deliver.

    Attributes:
        kind: What it is, see `Delivery`.
        data: Its content.
        end: Where it ends in the journal, in bytes.
    """

    kind: str
    data: dict[str, Any]
    end: int


class Journal:
    """An append-only file of entries, and copies of the files that are to be delivered.

    The process that has opened it holds its lock, which the system releases when the process ends,
    however it ends. Entries survive `kill -9`; one that was cut off in the middle is dropped.

    Attributes:
        folder: Where it is.
        about: The run that it belongs to: `uri` of the store (without credentials), `host` of
            the process, `experiment_id`, and `run_id` once the store has created the run.
    """

    def __init__(self, folder: Path) -> None:
        """Open the journal in `folder`, whose lock must be free.

        Raises:
            Timeout: Another process has it open.
        """
        self.folder = folder
        self._lock = FileLock(folder / _LOCK, timeout=0)
        self._lock.acquire()
        self.about: dict[str, Any] = read_json(folder / _ABOUT) or {}
        self._writing = threading.Lock()
        self._entries = folder / _ENTRIES
        self._entries.touch()
        content = self._entries.read_bytes()
        self._written = content.rfind(b"\n") + 1
        os.truncate(self._entries, self._written)
        mark = read_json(folder / _MARK)
        self._delivered = mark if isinstance(mark, int) else 0

    @classmethod
    def create(cls, root: Path, **about: Any) -> Journal:
        """Return a new journal in a folder of its own below `root`."""
        folder = root / uuid.uuid4().hex
        folder.mkdir(parents=True)
        journal = cls(folder)
        journal.describe(host=socket.gethostname(), **about)
        return journal

    def describe(self, **about: Any) -> None:
        """Add to `about`."""
        self.about |= about
        write_json(self.folder / _ABOUT, self.about)

    @property
    def elsewhere(self) -> str | None:
        """The host of its process, if that is another one, where a lock may not be seen."""
        host: str | None = self.about.get("host")
        return None if host == socket.gethostname() else host

    def append(self, kind: str, **data: Any) -> None:
        """Write an entry; it is on disk when this returns."""
        line = json.dumps([kind, data], ensure_ascii=False).encode() + b"\n"
        with self._writing, self._entries.open("r+b") as file:
            file.truncate(self._written)  # a Ctrl-C may have left an entry that is not counted
            file.seek(self._written)
            try:
                file.write(line)
                file.flush()
            except OSError:  # the disk is full: leave no half of a line
                os.truncate(self._entries, self._written)
                raise
            self._written += len(line)

    def stage(self, name: str, write: Callable[[Path], object], folder: str | None) -> None:
        """Keep a file, and append the entry that delivers it into `folder` of the run.

        Args:
            name: Of the file.
            write: Writes it to the path that it is passed.
            folder: None for the top of the run.
        """
        self.append("file", file=self.keep(name, write), folder=folder)

    def keep(self, name: str, write: Callable[[Path], object]) -> str:
        """Keep a file or folder until an entry with the value returned as its `file` is delivered.

        Args:
            name: Of the file or folder.
            write: Writes it to the path that it is passed.
        """
        place = uuid.uuid4().hex
        path = self.folder / _FILES / place / name
        path.parent.mkdir(parents=True)
        write(path)
        return f"{place}/{name}"

    def staged(self, file: str) -> Path:
        """Return the path of the `file` of an entry."""
        return self.folder / _FILES / file

    @property
    def has_waiting(self) -> bool:
        """Whether an entry is not delivered yet."""
        return self._written > self._delivered

    def waiting(self) -> list[JournalEntry]:
        """Return the entries that are not delivered yet, the oldest first, at most 1,000."""
        with self._entries.open("rb") as file:
            file.seek(self._delivered)
            return list(_entries(file, self._delivered, self._written))

    def entries(self) -> list[JournalEntry]:
        """Return the oldest entries, delivered or not, at most 1,000."""
        with self._entries.open("rb") as file:
            return list(_entries(file, 0, self._written))

    def count(self) -> int:
        """Return the number of entries that are not delivered yet."""
        with self._entries.open("rb") as file:
            file.seek(self._delivered)
            return sum(1 for _ in file)

    @property
    def ended(self) -> bool:
        """Whether the last entry ends the run."""
        content = self._entries.read_bytes()[: self._written]
        last = content.rstrip(b"\n").rpartition(b"\n")[2]
        return bool(last) and json.loads(last)[0] == "end"

    def mark(self, delivered: list[JournalEntry]) -> None:
        """Note that the store has these entries, and delete the copies of their files."""
        self._delivered = delivered[-1].end
        mark = self.folder / f"{_MARK}.next"
        mark.write_text(str(self._delivered))
        mark.replace(self.folder / _MARK)
        for entry in delivered:
            if "file" in entry.data:
                shutil.rmtree(self.staged(entry.data["file"]).parent, ignore_errors=True)

    def close(self, *, remove: bool) -> None:
        """Release the lock, and `remove` the folder if nothing in it is needed any more."""
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release(force=True)


def _entries(lines: Iterator[bytes], start: int, end: int) -> Iterator[JournalEntry]:
    for _, line in zip(range(_AT_ONCE), lines, strict=False):
        start += len(line)
        if start > end:
            return
        kind, data = json.loads(line)
        yield JournalEntry(kind, data, start)


def journals(root: Path) -> Iterator[Journal]:
    """Open each journal below `root` whose process has ended. The caller closes them."""
    for about in sorted(root.glob(f"*/{_ABOUT}"), key=lambda path: path.parent.stat().st_mtime):
        try:
            yield Journal(about.parent)
        except (Timeout, OSError):  # its process is alive, or has just removed it
            continue
