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
    """One value for each axis. Compared by identity.

    Attributes:
        values: by key.
        overrides: the same on the command line.
        study: what the search needs in order to prune the trial (plain JSON values); None if it
            does not prune.
    """

    values: dict[str, Any]
    overrides: tuple[str, ...]
    study: dict[str, Any] | None = None

    @classmethod
    def of(cls, axes: Sequence[Axis], places: Sequence[int]) -> Setting:
        """Return the setting with choice `places[n]` of each `axes[n]`."""
        chosen = list(zip(axes, places, strict=True))
        return cls(
            {axis.key: (axis.values or ())[place] for axis, place in chosen},
            tuple(axis.override((axis.choices or ())[place]) for axis, place in chosen),
        )


class Asking(Protocol):
    """A search in progress."""

    def ask(self) -> Sequence[Setting]:
        """Return the settings to try next, in parallel if there are workers; empty at the end."""
        ...

    def tell(self, setting: Setting, value: float | None, *, pruned: bool) -> None:
        """Report the validation metric of a setting; None if there is none."""
        ...


class Search(Protocol):
    """A choice of the config group `hydra/sweeper`."""

    def total(self, axes: Sequence[Axis]) -> int:
        """Return the number of settings that will be tried.

        Raises:
            ConfigError: the search does not support one of the axes.
        """
        ...

    def start(self, axes: Sequence[Axis], folder: Path) -> Asking:
        """Start the search, or resume the one in `folder`."""
        ...


def choices_of(axes: Sequence[Axis], search: str) -> list[tuple[str, ...]]:
    """Return the choices of each axis; raise ConfigError if one is an interval."""
    for axis in axes:
        if axis.choices is None:
            raise ConfigError(
                f"{axis.key}: got an interval, but {search} tries every value; expected choices "
                "such as 1,2,3, or hydra/sweeper=random or optuna, which draw values"
            )
    return [axis.choices for axis in axes if axis.choices is not None]
