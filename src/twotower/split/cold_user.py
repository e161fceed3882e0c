"""All interactions of randomly chosen users are held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import Field, NonNegativeInt
from replay.splitters import ColdUserRandomSplitter

from twotower.core.component import component
from twotower.split.base import COLUMNS, Part, Split, seed_of
from twotower.split.cut import Cut, cut_by
from twotower.split.fold_in import fold_in


@component
@dataclass(frozen=True)
class ColdUserSplit(Split):
    """RePlay's ColdUserRandomSplitter.

    test_size: share of the users that is held out. seed: of the draw.
    known: share of each user's interactions known at evaluation time, oldest first, or at random
        where times are not known (see fold_in).
    """

    test_size: Annotated[float, Field(gt=0, lt=1)]
    seed: NonNegativeInt
    known: Annotated[float, Field(ge=0, lt=1)]

    @property
    def needs_time(self) -> bool:
        return False

    @property
    def judging_more(self) -> str:
        return "a larger split.test_size judges more users"

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        splitter = ColdUserRandomSplitter(self.test_size, seed=seed_of(self.seed, part), **COLUMNS)
        return cut_by(splitter.split, log)

    def reveal(self, held: pl.DataFrame, part: Part) -> tuple[pl.DataFrame | None, pl.DataFrame]:
        if not self.known:
            return None, held
        return fold_in(held, self.known, seed_of(self.seed, part))
