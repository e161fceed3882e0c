"""Half a cosine up to the full learning rate, then half a cosine down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt

from twotower.core.component import component

__all__ = ["OneCycle"]


@component
@dataclass(frozen=True)
class OneCycle:
    """A `Schedule` of one cycle, with the parameters of `torch.optim.lr_scheduler.OneCycleLR`.

    Smith and Topin, "Super-Convergence" (2018). `optimizer.lr` is the highest learning rate;
    momentum stays as it is.

    Attributes:
        epochs: Epochs of the whole schedule.
        pct_start: Share of them, the first ones, over which the learning rate rises.
        div_factor: The first learning rate is the highest one divided by it.
        final_div_factor: The last learning rate is the first one divided by it.

    >>> schedule = OneCycle(epochs=10, pct_start=0.2, div_factor=25.0, final_div_factor=1e4)
    >>> [round(schedule.factor(epoch), 3) for epoch in (0, 1, 2, 6, 10)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    epochs: PositiveInt
    pct_start: Annotated[float, Field(gt=0, lt=1)]
    div_factor: Annotated[float, Field(ge=1)]
    final_div_factor: Annotated[float, Field(ge=1)]

    def factor(self, epoch: float) -> float:
        """Return the share of the full learning rate after `epoch` epochs or parts of them."""
        first = 1 / self.div_factor
        done = min(1.0, epoch / self.epochs)
        if done < self.pct_start:
            return _half_cosine(first, 1.0, done / self.pct_start)
        last = first / self.final_div_factor
        return _half_cosine(1.0, last, (done - self.pct_start) / (1 - self.pct_start))


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
