"""Grid search: every combination."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twotower.config import Axis
from twotower.core.component import component
from twotower.sweeping.search.base import Setting, choices_of

__all__ = ["GridSearch", "Listed"]


@component
@dataclass(frozen=True)
class GridSearch:
    """Every combination of the choices; the last axis varies fastest."""

    def total(self, axes: Sequence[Axis]) -> int:
        """See Search."""
        return math.prod(len(choices) for choices in choices_of(axes, "a grid"))

    def start(self, axes: Sequence[Axis], folder: Path) -> Listed:
        """See Search."""
        sizes = [range(len(choices)) for choices in choices_of(axes, "a grid")]
        return Listed([Setting.of(axes, places) for places in itertools.product(*sizes)])


@dataclass
class Listed:
    """An `Asking` whose settings are known from the start; it returns all of them at once."""

    settings: list[Setting] = field(default_factory=list)

    def ask(self) -> list[Setting]:
        """See Asking."""
        asked, self.settings = self.settings, []
        return asked

    def tell(self, setting: Setting, value: float | None, *, pruned: bool) -> None:
        """See Asking; ignored."""
