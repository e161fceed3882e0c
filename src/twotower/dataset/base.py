"""What the rest of the project asks of a source of data."""

from __future__ import annotations

from typing import Protocol

from twotower.types import Interactions


class Dataset(Protocol):
    """A source of interactions, and of what is known of users and items."""

    def load(self) -> Interactions:
        """The whole log in canonical columns and order.

        Raises DataError for bad content and DownloadError for data that cannot be had.
        """
        ...
