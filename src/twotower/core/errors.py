"""Every error that twotower raises on purpose, drawn as a tree.

TwoTowerError
├── ConfigError         a key, choice, type or combination of values in the config
├── DataError           what stands in a file or is left of it: names the file, column and row
│   └── DownloadError   a dataset can be neither fetched nor found in the cache
├── TrainingError       training cannot go on: the loss is not finite, nothing is contrasted
├── SweepError          trials of a sweep failed or diverged; the others are done
└── RunNotFoundError    no run, or no model in it, at the tracking address
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from twotower.core.secrets import mask

__all__ = [
    "ConfigError",
    "DataError",
    "DownloadError",
    "RunNotFoundError",
    "SweepError",
    "TrainingError",
    "TwoTowerError",
    "below",
]


class TwoTowerError(Exception):
    """Base class: catching it catches all that twotower raises on purpose.

    Its text holds no secrets.
    """

    def __str__(self) -> str:
        return mask(super().__str__())


class ConfigError(TwoTowerError):
    """The config is wrong. The message names the key, the value got and what would be valid."""


@contextmanager
def below(group: str, key: str) -> Iterator[None]:
    """ConfigErrors of what is built in it name keys of `<group>.<key>` in place of `group`."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(re.sub(rf"\b{group}\.", f"{group}.{key}.", str(error))) from error


class DataError(TwoTowerError):
    """The data is wrong. The message names file, column, first row and the key to change."""


class DownloadError(DataError):
    """A dataset can be neither fetched nor found. The message says what to put where."""


class TrainingError(TwoTowerError):
    """Training cannot go on, for instance because the loss is not finite."""


class SweepError(TwoTowerError):
    """Trials of a sweep failed or diverged. The message tells how many; the others are done."""


class RunNotFoundError(TwoTowerError):
    """The tracking address holds no such run, or the run holds no model."""
