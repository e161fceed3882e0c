"""No prior."""

from dataclasses import dataclass

from twotower.core.component import component
from twotower.types import Side, TrainInteractions

__all__ = ["NoPrior"]


@component
@dataclass(frozen=True)
class NoPrior:
    """Scores are the dot products of the towers alone."""

    def of_items(self, items: Side, train: TrainInteractions | None) -> None:
        """See Prior."""
        return
