"""The contract of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from twotower.config import Axis
from twotower.core.errors import ConfigError

__all__ = ["Asking", "Search", "Setting", "choices_of"]


@dataclass(frozen=True, eq=False)
class Setting:
    """One value for each axis; equal to itself alone.

    values: by key. overrides: as on the command line. study: what a trial that may be pruned
        needs to know of the search (plain JSON values); None where the search does not prune.
    """

    values: dict[str, Any]
    overrides: tuple[str, ...]
    study: dict[str, Any] | None = None

    @classmethod
    def of(cls, axes: Sequence[Axis], places: Sequence[int]) -> Setting:
        """`places[n]` counts within the choices of `axes[n]`."""
        chosen = list(zip(axes, places, strict=True))
        return cls(
            {axis.key: (axis.values or ())[place] for axis, place in chosen},
            tuple(axis.override((axis.choices or ())[place]) for axis, place in chosen),
        )


class Asking(Protocol):
    """A search that is under way."""

    def ask(self) -> Sequence[Setting]:
        """The settings to try next, at once where there are workers; empty: the search is over."""
        ...

    def tell(self, setting: Setting, value: float | None, *, pruned: bool) -> None:
        """What came out: the validation metric, None where there is none."""
        ...


class Search(Protocol):
    """A choice of the config group `hydra/sweeper`."""

    def total(self, axes: Sequence[Axis]) -> int:
        """How many settings it will try. Raises ConfigError for axes that it cannot search."""
        ...

    def start(self, axes: Sequence[Axis], folder: Path) -> Asking:
        """Begin, or go on with what an earlier start left in `folder`."""
        ...


def choices_of(axes: Sequence[Axis], search: str) -> list[tuple[str, ...]]:
    """The choices of each axis. Raises ConfigError where one is an interval."""
    for axis in axes:
        if axis.choices is None:
            raise ConfigError(
                f"{axis.key}: an interval holds no single values, and {search} tries every one; "
                "valid are choices such as 1,2,3, or hydra/sweeper=random, hydra/sweeper=optuna"
            )
    return [axis.choices for axis in axes if axis.choices is not None]
