"""The users who came last are held out, with all that they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import Field
from replay.splitters import NewUsersSplitter

from twotower.core.component import component
from twotower.split.base import TIME_COLUMNS, Part, Split
from twotower.split.cut import Cut, cut_by
from twotower.split.fold_in import fold_in
from twotower.types import TIMESTAMP


@component
@dataclass(frozen=True)
class NewUsersSplit(Split):
    """RePlay's NewUsersSplitter.

    test_size: share of the users, by their first interaction, that is held out. What earlier
        users did after the first of these came is left out.
    known: share of each user's interactions known at evaluation time, oldest first (see fold_in).
    """

    test_size: Annotated[float, Field(gt=0, lt=1)]
    known: Annotated[float, Field(ge=0, lt=1)]

    @property
    def judging_more(self) -> str:
        return "a larger split.test_size judges more users"

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        splitter = NewUsersSplitter(self.test_size, **TIME_COLUMNS)
        return cut_by(splitter.split, log, log[TIMESTAMP])

    def reveal(self, held: pl.DataFrame, part: Part) -> tuple[pl.DataFrame | None, pl.DataFrame]:
        if not self.known:
            return None, held
        return fold_in(held, self.known, seed=0)  # a draw among rows of one moment alone
