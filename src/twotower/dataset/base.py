"""The interface of a data source."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from twotower.types import Interactions, LogStream


class Dataset(Protocol):
    """A source of interactions and, optionally, of user and item features."""

    @abstractmethod
    def load(self) -> Interactions:
        """Return the complete log in canonical columns and order.

        Raises:
            DataError: If the content is invalid.
            DownloadError: If the data cannot be downloaded.
        """
        ...


@runtime_checkable
class Streamable(Protocol):
    """A dataset that can be read in batches, for logs larger than memory."""

    @abstractmethod
    def stream(self) -> LogStream | None:
        """Return the log, or None if it is to be read by `Dataset.load`.

        Raises:
            ConfigError: The source cannot be read in batches.
            DataError: The content is invalid.
        """
        ...
