"""Progress of a ranking that takes long: a bar in a terminal or notebook, lines in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm
from tqdm.notebook import tqdm as notebook_tqdm

__all__ = ["Progress", "ranking_progress"]

Progress = Callable[[int], object]

# Seconds before a bar appears, and between two lines of a log: most rankings are over by then.
_BAR_AFTER = 2.0
_LINE_EVERY = 15.0

logger = logging.getLogger(__name__)


@contextmanager
def ranking_progress(title: str | None, total: int) -> Iterator[Progress]:
    """Show the progress over `total` users; the value is called with how many more are done.

    Args:
        title: What is ranked, such as `validation`; None shows nothing.
        total: The number of users.
    """
    if title is None:
        yield lambda _: None
    elif sys.stderr.isatty() or issubclass(tqdm, notebook_tqdm):
        name = f"ranking, {title}"
        with tqdm(total=total, desc=name, unit="user", delay=_BAR_AFTER, leave=False) as bar:
            yield bar.update
    else:
        yield _Lines(title, total)


class _Lines:
    """Logs a line every 15 seconds, with the time that is left in proportion."""

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._started = self._logged = time.perf_counter()

    def __call__(self, n: int) -> None:
        self._done += n
        now = time.perf_counter()
        if now - self._logged < _LINE_EVERY or self._done >= self._total:
            return
        self._logged = now
        left = (now - self._started) * (self._total / self._done - 1)
        logger.info(
            "ranking, %s: %s of %s users, about %.0f s left",
            self._title,
            f"{self._done:,}",
            f"{self._total:,}",
            left,
        )
