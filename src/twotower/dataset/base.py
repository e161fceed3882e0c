"""The interface of a data source."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from twotower.types import Interactions


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
