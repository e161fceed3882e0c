"""No schedule: the learning rate is `optimizer.lr` throughout."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import PositiveInt

from twotower.core.component import component

__all__ = ["ConstantRate"]


@component
@dataclass(frozen=True)
class ConstantRate:
    """A `Schedule` that changes nothing."""

    epochs: PositiveInt

    def factor(self, epoch: float) -> float:
        """Return 1."""
        return 1.0
