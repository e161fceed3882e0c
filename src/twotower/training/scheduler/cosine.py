"""Half a cosine from the full learning rate to the final one, after a linear warm-up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt

from twotower.core.component import component

__all__ = ["Cosine"]


@component
@dataclass(frozen=True)
class Cosine:
    """A `Schedule` that rises linearly from 0, then falls as half a cosine.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (ICLR 2017),
    without restarts.

    Attributes:
        epochs: Epochs of the whole schedule.
        warmup: Share of them, the first ones, over which the learning rate rises.
        final: Share of the full learning rate at the end.

    >>> schedule = Cosine(epochs=10, warmup=0.2, final=0.0)
    >>> [round(schedule.factor(epoch), 3) for epoch in (0, 1, 2, 6, 10)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    epochs: PositiveInt
    warmup: Annotated[float, Field(ge=0, lt=1)]
    final: Annotated[float, Field(ge=0, le=1)]

    def factor(self, epoch: float) -> float:
        """Return the share of the full learning rate after `epoch` epochs or parts of them."""
        done = min(1.0, epoch / self.epochs)
        if done < self.warmup:
            return done / self.warmup
        fallen = (done - self.warmup) / (1 - self.warmup)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * fallen)) / 2
