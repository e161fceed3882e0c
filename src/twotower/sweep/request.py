"""What a command asks of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twotower.config import Axis
from twotower.errors import ConfigError
from twotower.sweep.search import Search

__all__ = ["SEED", "Request"]

SEED = "seed"  # the key whose values are repeats of a setting


@dataclass(frozen=True)
class Request:
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
        """What varies, but for the seed."""
        return [axis for axis in self.axes if axis.key != SEED]

    @property
    def seeds(self) -> Axis | None:
        """Raises ConfigError where it is an interval."""
        seeds = next((axis for axis in self.axes if axis.key == SEED), None)
        if seeds is not None and seeds.choices is None:
            raise ConfigError("seed: got an interval; valid are whole numbers such as 0,1,2")
        return seeds

    @property
    def name(self) -> str:
        """Such as `emb_dim x num_negatives, 5 seeds`."""
        names = " x ".join(axis.key.rpartition(".")[2] for axis in self.settings)
        seeds = f"{self._repeats} seeds" if self._repeats > 1 else ""
        return ", ".join(part for part in (names, seeds) if part) or "one trial"

    @property
    def total(self) -> int:
        """Trials. Raises ConfigError for axes that the search cannot search."""
        return self.search.total(self.settings) * self._repeats

    @property
    def _repeats(self) -> int:
        return len(self.seeds.choices or ()) if self.seeds is not None else 1
