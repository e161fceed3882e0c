"""The interface of schedules that set the learning rate at each optimizer step."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol, runtime_checkable

__all__ = ["Schedule"]


@runtime_checkable
class Schedule(Protocol):
    """The learning rate over the epochs, as a share of `optimizer.lr`.

    It is defined over epochs, not over the steps of a fit, so that a fit that ends earlier or has
    more interactions (the refit) has the same learning rate in each epoch.
    """

    @property
    def epochs(self) -> int:
        """Epochs of the whole schedule."""
        ...

    @abstractmethod
    def factor(self, epoch: float) -> float:
        """Return the share of the full learning rate after `epoch` epochs or parts of them."""
        ...
