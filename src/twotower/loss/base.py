"""The contract that every loss keeps."""

from typing import Protocol

from torch import Tensor

from twotower.types import Scores

__all__ = ["Loss", "needs_negatives"]


class Loss(Protocol):
    """Turns the scores of a batch into one number to minimise.

    A class whose losses use no negatives says so by `needs_negatives = False`.
    """

    def __call__(self, scores: Scores) -> Tensor:
        """A scalar; negatives that are not valid take no part in it."""
        ...


def needs_negatives(loss: object) -> bool:
    """Whether a loss has nothing to contrast a positive with where it has no negatives."""
    return bool(getattr(loss, "needs_negatives", True))
