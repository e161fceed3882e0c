"""Every error that twotower raises on purpose, drawn as a tree.

TwoTowerError
├── ConfigError         a key, choice, type or combination of values in the config
├── DataError           contents of a file, or what filters leave: names file, column and row
│   └── DownloadError   a dataset that is neither in the cache nor can be downloaded
├── ResourceError       memory or disk space has run out
├── TrainingError       the loss is not finite, or no positive has a negative
├── SweepError          trials of a sweep failed or diverged; the others have finished
└── RunNotFoundError    no run, or no model in it, at the tracking address
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from twotower.core.secrets import mask

__all__ = [
    "NOTHING",
    "ConfigError",
    "DataError",
    "DownloadError",
    "ErrorEntry",
    "ResourceError",
    "RunNotFoundError",
    "SweepError",
    "TrainingError",
    "TwoTowerError",
    "errors_under",
]


class _Absent(Enum):
    NOTHING = "nothing"


NOTHING: Final = _Absent.NOTHING  # where there is no value to report


@dataclass(frozen=True)
class ErrorEntry:
    """One error, rendered as `<path>: got <got>, <problem>; <valid>`, without what is empty.

    Attributes:
        path: the key, dotted, relative to the component that raises it; None for text that names
            its keys itself.
        got: the value, NOTHING where it does not matter.
        problem: what is wrong with it, where `valid` alone is not enough.
        valid: what would be accepted.
    """

    path: str | None
    got: Any = NOTHING
    problem: str = ""
    valid: str = ""

    def __str__(self) -> str:
        got = "" if self.got is NOTHING else f"got {self.got!r}"
        wrong = ", ".join(part for part in (got, self.problem) if part)
        text = "; ".join(part for part in (wrong, self.valid) if part)
        return f"{self.path}: {text}" if self.path else text

    def under(self, path: str) -> ErrorEntry:
        """Return the same error with its path below `path`."""
        if self.path is None or not path:
            return self
        return replace(self, path=f"{path}.{self.path}" if self.path else path)


class TwoTowerError(Exception):
    """Base class of all errors that twotower raises on purpose.

    Secrets in its text are masked.
    """

    def __str__(self) -> str:
        return mask(super().__str__())


class ConfigError(TwoTowerError):
    """One or more errors in a config, or in the arguments of a component.

    Attributes:
        entries: the errors, in the order in which they are rendered.
        header: the line above them; empty for none.
    """

    def __init__(self, errors: str | ErrorEntry | Iterable[ErrorEntry], header: str = "") -> None:
        """Create an error from text, or from one or several entries.

        Args:
            errors: the errors; text is an entry without a path.
            header: a line above them.
        """
        if isinstance(errors, str):
            errors = ErrorEntry(None, problem=errors)
        self.header = header
        self.entries = (errors,) if isinstance(errors, ErrorEntry) else tuple(errors)
        super().__init__("\n  ".join([*([header] if header else []), *map(str, self.entries)]))

    def under(self, path: str) -> ConfigError:
        """Return the same errors with paths below `path`."""
        return ConfigError([entry.under(path) for entry in self.entries], self.header)


@contextmanager
def errors_under(path: str) -> Iterator[None]:
    """Put the paths of ConfigErrors raised in it below `path`, the key of what is built there."""
    try:
        yield
    except ConfigError as error:
        raise error.under(path) from error


class DataError(TwoTowerError):
    """The data is wrong. The message names file, column, first row and the key to change."""


class DownloadError(DataError):
    """A dataset cannot be found or downloaded. The message names the file to provide."""


class ResourceError(TwoTowerError):
    """Memory or disk space has run out. The message names what to lower, or where to make room."""


class TrainingError(TwoTowerError):
    """Training cannot continue, for instance because the loss is not finite."""


class SweepError(TwoTowerError):
    """Trials of a sweep failed or diverged. The message counts them; the others have finished.

    Attributes:
        table: the results of all trials; from `twotower.sweep` the frame that it would return.
    """

    table: Any = None


class RunNotFoundError(TwoTowerError):
    """The tracking address holds no such run, or the run holds no model."""
