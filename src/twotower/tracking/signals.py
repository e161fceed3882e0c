"""Signals around a run: SIGTERM becomes an exception, and ending a run is not interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATED = 128 + signal.SIGTERM  # the exit code of a process that SIGTERM ended


def _in_main_thread() -> bool:
    """Return whether signal handlers can be set: Python allows it in the main thread only."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def terminate_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into SystemExit(143) inside the context, so that `finally` blocks run.

    The previous handler is restored at the end. Outside the main thread nothing is done.
    """

    def exit_now(number: int, frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    if not _in_main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, exit_now)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Defer the first Ctrl-C or SIGTERM until the context ends; deliver the second at once.

    The second signal allows leaving a server that does not respond. Inside another such context,
    and outside the main thread, nothing is done.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    nested = any(getattr(handler, "defers", False) for handler in before.values())
    if nested or not _in_main_thread():
        yield
        return
    pending: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if not pending:
            pending.append(number)
            return
        pending.clear()  # this one represents both
        _deliver(number)

    hold.defers = True  # type: ignore[attr-defined]

    def restore() -> None:
        for number in numbers:
            signal.signal(number, before[number])

    def _deliver(number: int) -> None:
        restore()
        signal.raise_signal(number)

    for number in numbers:
        signal.signal(number, hold)
    try:
        yield
    finally:
        restore()
    if pending:
        signal.raise_signal(pending[0])
