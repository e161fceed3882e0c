"""A random share of all interactions is held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import Field, NonNegativeInt
from replay.splitters import RandomSplitter

from twotower.core.component import component
from twotower.split.base import COLUMNS, Part, Split, seed_of
from twotower.split.cut import Cut, cut_by


@component
@dataclass(frozen=True)
class RandomSplit(Split):
    """RePlay's RandomSplitter.

    test_size: share of the interactions that is held out. seed: of the draw.
    """

    test_size: Annotated[float, Field(gt=0, lt=1)]
    seed: NonNegativeInt

    @property
    def needs_time(self) -> bool:
        return False

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        splitter = RandomSplitter(self.test_size, seed=seed_of(self.seed, part), **COLUMNS)
        return cut_by(splitter.split, log)
