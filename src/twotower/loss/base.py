"""The contract that every loss keeps."""

from typing import Protocol

from torch import Tensor

from twotower.types import Scores

__all__ = ["Loss"]


class Loss(Protocol):
    """Turns the scores of a batch into one number to minimise."""

    def __call__(self, scores: Scores) -> Tensor:
        """A scalar; negatives that are not valid take no part in it."""
        ...
