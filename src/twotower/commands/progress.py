"""The progress of a command that takes long, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["user_progress"]


@contextmanager
def user_progress(total: int, *, shown: bool) -> Iterator[Callable[[int], object]]:
    """Show a bar over `total` users; the value is called with how many more of them are done."""
    columns = (TextColumn("users"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as progress:
        task = progress.add_task("users", total=total)
        yield lambda n: progress.advance(task, n)
