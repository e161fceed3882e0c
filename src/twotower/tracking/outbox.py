"""Delivers what a run logs from a thread, so that a store in trouble never costs the training."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twotower.core.secrets import mask
from twotower.tracking.delivery import Delivery, groups
from twotower.tracking.journal import Journal, JournalEntry

__all__ = ["Outbox"]

_GATHER_SECONDS = 0.5  # between two deliveries, so that each takes many entries
_WARN_SECONDS = 3.0
_FIRST_RETRY, _LAST_RETRY = 0.5, 10.0  # seconds
_BYTES_PER_SECOND = 1e6  # a file may take as long as at this rate before it counts as stuck
_log = logging.getLogger(__name__)


class Outbox:
    """Everything that one run logs goes through here: to disk at once, to the store from a thread.

    Entries are delivered in order. A failed delivery is repeated until it succeeds or the run
    closes; delivering an entry twice does not change the store.

    Args:
        journal: Where entries are kept until the store has them.
        delivery: Sends entries to the store.
        address: The store, for messages.
    """

    def __init__(self, journal: Journal, delivery: Delivery, address: str) -> None:
        self.journal = journal
        self._delivery = delivery
        self._address = mask(address)
        self._changed = threading.Condition()
        self._closing = False
        self._given_up = False  # the journal is no longer this object's to change
        self._stuck_since: float | None = None  # start of the first attempt since the last success
        self._patience = _WARN_SECONDS
        self._reason = "no answer"
        self._warned = False
        self._threads = [
            threading.Thread(target=target, name=f"twotower-{name}", daemon=True)
            for name, target in (("outbox", self._send_all), ("outbox-watch", self._watch))
        ]

    def start(self) -> None:
        """Start delivering."""
        for thread in self._threads:
            thread.start()

    def put(self, kind: str, **data: Any) -> None:
        """Append an entry to the journal; it is delivered later."""
        self.journal.append(kind, **data)
        self._wake()

    def put_file(self, name: str, write: Callable[[Any], object], folder: str | None) -> None:
        """Keep a copy of a file in the journal; see `Journal.stage`."""
        self.journal.stage(name, write, folder)
        self._wake()

    def put_model(self, folder: Path, **data: Any) -> None:
        """Keep a copy of the folder of a model in the journal; see `Delivery`."""
        staged = self.journal.keep(folder.name, lambda target: shutil.copytree(folder, target))
        self.put("model", file=staged, **data)

    def deliver_now(self) -> None:
        """Deliver everything in this thread. Raise the store's error if it cannot be done."""
        while self.journal.has_waiting:
            for group in groups(self.journal.waiting()):
                self._delivery(group)
                self.journal.mark(group)

    def close(self, patience: float | None = None) -> bool:
        """Wait until everything is delivered, as long as the store responds.

        Args:
            patience: Seconds without progress after which to give up; None waits as long as an
                attempt may take.

        Returns:
            Whether the store has everything. What it does not have stays in the journal.
        """
        closed_at = time.monotonic()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        sender = self._threads[0]
        while sender.is_alive():
            sender.join(0.05)
            since = self._stuck_since
            limit = self._patience if patience is None else patience
            if since is not None and time.monotonic() - max(since, closed_at) > limit:
                break
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
        delivered = not self.journal.has_waiting
        if not delivered:
            _log.warning(
                "tracking: %s: %s; %d entries of this run are kept in %s; `twotower sync` delivers "
                "them",
                self._address,
                self._reason,
                self.journal.count(),
                self.journal.folder,
            )
        self.journal.close(remove=delivered)
        return delivered

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _send_all(self) -> None:
        pause = _FIRST_RETRY
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.journal.has_waiting or self._closing)
            if self._given_up or not self.journal.has_waiting:
                return
            try:
                for group in groups(self.journal.waiting()):
                    if self._given_up:
                        return
                    self._send(group)
            except Exception as error:  # of the store, its driver or the network
                self._patience = _WARN_SECONDS
                self._reason = _first_line(error)
                self._rest(min(pause, _FIRST_RETRY) if self._closing else pause)
                pause = min(2 * pause, _LAST_RETRY)
            else:
                pause = _FIRST_RETRY
                self._rest(_GATHER_SECONDS)

    def _send(self, group: list[JournalEntry]) -> None:
        self._patience = self._seconds_for(group)
        if self._stuck_since is None:
            self._stuck_since = time.monotonic()
        self._delivery(group)
        with self._changed:
            if self._given_up:  # delivered once more by whoever opens the journal, to no effect
                return
            self.journal.mark(group)
        self._stuck_since, self._reason = None, "no answer"
        if self._warned:
            self._warned = False
            _log.warning("tracking: %s responds again; everything is delivered", self._address)

    def _seconds_for(self, group: list[JournalEntry]) -> float:
        staged = [self.journal.staged(e.data["file"]) for e in group if "file" in e.data]
        files = [file for path in staged for file in (path, *path.rglob("*"))]
        return _WARN_SECONDS + sum(file.stat().st_size for file in files) / _BYTES_PER_SECOND

    def _rest(self, seconds: float) -> None:
        """Wait; less if the run closes meanwhile."""
        with self._changed:
            was = self._closing
            if was and seconds == _GATHER_SECONDS:
                return
            self._changed.wait_for(lambda: self._given_up or (self._closing and not was), seconds)

    def _watch(self) -> None:
        """Warn once when the store is in trouble."""
        while self._threads[0].is_alive():
            since = self._stuck_since
            stuck = since is not None and time.monotonic() - since > self._patience
            if stuck and not self._warned and not self._closing:
                self._warned = True
                _log.warning(
                    "tracking: %s: %s; training continues, and what it logs is kept in %s until "
                    "the store responds",
                    self._address,
                    self._reason,
                    self.journal.folder,
                )
            time.sleep(0.25)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {mask(str(error))}".partition("\n")[0][:200]
