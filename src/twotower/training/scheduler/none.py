"""No schedule: the learning rate is `optimizer.lr` throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twotower.core.component import component

__all__ = ["ConstantRate"]


@component
@dataclass(frozen=True)
class ConstantRate:
    """A `Schedule` that changes nothing."""

    epochs: ClassVar[int] = 1  # of a schedule that is the same however long it is

    def factor(self, epoch: float) -> float:
        """Return 1."""
        return 1.0
