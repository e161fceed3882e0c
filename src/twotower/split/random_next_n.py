"""Each user's history is cut at a random place; what follows directly is held out."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from pydantic import NonNegativeInt, PositiveInt
from replay.splitters import RandomNextNSplitter

from twotower.core.component import component
from twotower.split.base import TIME_COLUMNS, Part, Split, seed_of
from twotower.split.cut import Cut, cut_by
from twotower.types import USER, turns


@component
@dataclass(frozen=True)
class RandomNextNSplit(Split):
    """RePlay's RandomNextNSplitter.

    n: how many interactions after the cut are held out, and what comes later is left out; None:
        all that follow. seed: of the draw. A user cut at the very start is cold.
    """

    n: PositiveInt | None
    seed: NonNegativeInt

    @property
    def judging_more(self) -> str:
        return "a larger split.n, split=last_n and split=ratio judge more users"

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        splitter = RandomNextNSplitter(
            self.n, divide_column=USER, seed=seed_of(self.seed, part), **TIME_COLUMNS
        )
        return cut_by(splitter.split, log, turns(log))
