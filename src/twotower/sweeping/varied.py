"""The values of one varied key, with the order and scale of its axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from twotower.config import render_value
from twotower.sweeping.sweep_table import SweepTable

__all__ = ["MOST_CHOICES", "Varied", "brief", "is_number", "text_of", "varied_of"]

# A grid that people type has no more values than this; a search that draws numbers has more.
MOST_CHOICES = 12

_LOG_RATIO = 4  # between the ends: below it both scales look alike


@dataclass(frozen=True)
class Varied:
    """A key that varies.

    Attributes:
        key: such as `tower.emb_dim`.
        label: its shortest unambiguous end, `emb_dim`.
        values: each value once; numbers in rising order, others in the order of the trials.
    """

    key: str
    label: str
    values: tuple[Any, ...]

    @cached_property
    def numeric(self) -> bool:
        return all(is_number(value) for value in self.values)

    @cached_property
    def continuous(self) -> bool:
        """Whether it has more numbers than a grid would: they were drawn from a range."""
        return self.numeric and len(self.values) > MOST_CHOICES

    @cached_property
    def log(self) -> bool:
        """Whether the median is nearer to the middle of a log scale than of a linear one."""
        if not self.numeric or self.values[0] <= 0:
            return False
        low, high = self.values[0], self.values[-1]
        geometric, arithmetic = math.sqrt(low * high), (low + high) / 2
        wide = high / low >= _LOG_RATIO
        return bool(wide and median(self.values) < (geometric + arithmetic) / 2)

    @cached_property
    def texts(self) -> list[str]:
        return [text_of(value) for value in self.values]

    def position(self, value: Any) -> int:
        """Return the index of `value` in `values`."""
        return self.texts.index(text_of(value))

    def coordinate(self, value: Any) -> float:
        """Return the place of `value` on the axis: a number itself, else its position."""
        return float(value) if self.numeric else float(self.position(value))


def varied_of(table: SweepTable, key: str) -> Varied:
    found: dict[str, Any] = {}
    for setting in table.settings:
        if key in setting.varied:
            found.setdefault(text_of(setting.varied[key]), setting.varied[key])
    values = list(found.values())
    if all(is_number(value) for value in values):
        values.sort()
    else:
        order = [text_of(result.varied.get(key)) for result in table.results]
        values.sort(key=lambda value: order.index(text_of(value)))
    return Varied(key, table.labels[key], tuple(values))


def is_number(value: Any) -> bool:
    """Return whether `value` has a place on a numeric axis; booleans have none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_of(value: Any) -> str:
    """Return `value` as in an override: `null`, `true`, `0.001`, `[64,32]`."""
    return f"{value:.15g}" if isinstance(value, float) else render_value(value)


def brief(value: Any) -> str:
    """Return `value` for people: a fraction with three digits."""
    return f"{value:.3g}" if isinstance(value, float) else text_of(value)
