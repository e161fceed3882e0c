"""A constant learning rate that then falls linearly to 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt

from twotower.core.component import component

__all__ = ["LinearDecay"]


@component
@dataclass(frozen=True)
class LinearDecay:
    """A `Schedule` that is constant, then falls linearly to 0.

    Attributes:
        epochs: Epochs of the whole schedule.
        decay: Share of them, the last ones, over which the learning rate falls.

    >>> schedule = LinearDecay(epochs=10, decay=0.5)
    >>> [schedule.factor(epoch) for epoch in (0, 5, 7.5, 10)]
    [1.0, 1.0, 0.5, 0.0]
    """

    epochs: PositiveInt
    decay: Annotated[float, Field(gt=0, le=1)]

    def factor(self, epoch: float) -> float:
        """Return the share of the full learning rate after `epoch` epochs or parts of them."""
        return min(1.0, max(0.0, self.epochs - epoch) / (self.decay * self.epochs))
