"""The sweep that a command asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from twotower.config import REPEATS, Axis
from twotower.config.naming import labels
from twotower.core.errors import ConfigError
from twotower.sweeping.search import Search

__all__ = ["SweepSpec"]


@dataclass(frozen=True)
class SweepSpec:
    """The sweep that a command asks for.

    Attributes:
        folder: of the sweep; the same command has the same folder.
        command: as typed in a shell.
        source: arguments that select where configs are found, such as `--config-dir mine`.
        fixed: overrides that all trials share.
        axes: the keys that vary, with their values.
        resume: whether to resume what an earlier start left in the folder.
    """

    folder: Path
    command: str
    source: Sequence[str]
    fixed: Sequence[str]
    axes: Sequence[Axis]
    search: Search
    resume: bool

    @property
    def settings(self) -> list[Axis]:
        """The axes that vary, without those that repeat a setting."""
        return [axis for axis in self.axes if axis.key not in REPEATS]

    @property
    def repeats(self) -> list[Axis]:
        """The axes that repeat a setting, in the order of `REPEATS`.

        Raises:
            ConfigError: one of them is an interval.
        """
        by_key = {axis.key: axis for axis in self.axes}
        found = [by_key[key] for key in REPEATS if key in by_key]
        for axis in found:
            if axis.choices is None:
                raise ConfigError(
                    f"{axis.key}: got an interval; must be whole numbers such as 0,1,2"
                )
        return found

    @property
    def name(self) -> str:
        """Such as `emb_dim x num_negatives, 5 folds, 3 seeds`."""
        names = " x ".join(labels([axis.key for axis in self.settings]).values())
        counts = [(len(axis.choices or ()), REPEATS[axis.key]) for axis in self.repeats]
        repeats = [f"{count} {word}" for count, word in counts if count > 1]
        return ", ".join(part for part in (names, *repeats) if part) or "one trial"

    @property
    def total(self) -> int:
        """The number of trials.

        Raises:
            ConfigError: the search does not support one of the axes.
        """
        repeats = prod(len(axis.choices or ()) for axis in self.repeats)
        return self.search.total(self.settings) * repeats
