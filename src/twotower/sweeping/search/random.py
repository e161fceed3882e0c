"""Random search (Bergstra and Bengio 2012, JMLR 13)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from twotower.config import Axis
from twotower.core.component import component
from twotower.sweeping.search.base import Setting
from twotower.sweeping.search.grid import Listed

__all__ = ["RandomSearch"]

_PATIENCE = 10_000  # draws in a row without a new setting, after which there is none


@component
@dataclass(frozen=True)
class RandomSearch:
    """`n_trials` different settings, drawn uniformly; from a log interval, uniformly in the log.

    With the same seed, a longer search starts with the settings of a shorter one.
    """

    n_trials: PositiveInt
    seed: NonNegativeInt

    def total(self, axes: Sequence[Axis]) -> int:
        """See Search; fewer than `n_trials` if there are not that many settings."""
        return len(self._settings(axes))

    def start(self, axes: Sequence[Axis], folder: Path) -> Listed:
        """See Search."""
        return Listed(self._settings(axes))

    def _settings(self, axes: Sequence[Axis]) -> list[Setting]:
        generator = np.random.default_rng(self.seed)
        wanted = min(self.n_trials, _n_settings(axes))
        found: dict[tuple[str, ...], Setting] = {}
        repeats = 0
        while len(found) < wanted and repeats < _PATIENCE:
            drawn = [_draw(axis, generator) for axis in axes]
            overrides = tuple(override for _, override in drawn)
            values = {axis.key: value for axis, (value, _) in zip(axes, drawn, strict=True)}
            repeats = repeats + 1 if overrides in found else 0
            found.setdefault(overrides, Setting(values, overrides))
        return list(found.values())


def _n_settings(axes: Sequence[Axis]) -> float:
    """Return the number of different settings; infinity with an interval of fractions."""
    counts: list[float] = []
    for axis in axes:
        if axis.choices is not None:
            counts.append(len(set(axis.choices)))
        elif axis.integer:
            counts.append(int(axis.high or 0) - int(axis.low or 0) + 1)
        else:
            counts.append(math.inf)
    return math.prod(counts)


def _draw(axis: Axis, generator: np.random.Generator) -> tuple[Any, str]:
    """Draw a value; return it with its override."""
    if axis.choices is not None:
        assert axis.values is not None
        place = int(generator.integers(len(axis.choices)))
        return axis.values[place], axis.override(axis.choices[place])
    assert axis.low is not None
    assert axis.high is not None
    low, high = axis.low, axis.high
    if axis.integer:  # each whole number gets the interval around it
        low, high = low - 0.5, high + 0.5
    if axis.log:
        value = math.exp(generator.uniform(math.log(low), math.log(high)))
    else:
        value = generator.uniform(low, high)
    # More than four digits do not matter, and make names long.
    shown = round(value) if axis.integer else float(f"{value:.4g}")
    shown = min(max(shown, axis.low), axis.high)
    return shown, axis.override(shown)
