"""What a command asks of a sweep."""

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
    """What a command asks for.

    folder: of the sweep, the same for the same command. command: as people would type it.
    source: arguments that select where configs are composed from, such as `--config-dir mine`.
    fixed: overrides that all trials share. axes: what varies.
    resume: whether to go on with what is there of earlier.
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
        """What varies, but for repeats."""
        return [axis for axis in self.axes if axis.key not in REPEATS]

    @property
    def repeats(self) -> list[Axis]:
        """What repeats a setting, in the order of `REPEATS`. Raises ConfigError for an interval."""
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
        """Trials. Raises ConfigError for axes that the search cannot search."""
        repeats = prod(len(axis.choices or ()) for axis in self.repeats)
        return self.search.total(self.settings) * repeats
