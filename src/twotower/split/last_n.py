"""The last interactions of each user are held out; with n=1 this is leave-one-out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl
from pydantic import PositiveInt
from replay.splitters import LastNSplitter

from twotower.core.component import component
from twotower.split.base import TIME_COLUMNS, Part, Split
from twotower.split.cut import Cut, cut_users_by
from twotower.types import TIMESTAMP, USER, turns


@component
@dataclass(frozen=True)
class LastNSplit(Split):
    """RePlay's LastNSplitter.

    n: how many interactions, or how many seconds before the user's last one.
    strategy: which of the two, `interactions` or `timedelta`.
    """

    n: PositiveInt
    strategy: Literal["interactions", "timedelta"]

    @property
    def by_user(self) -> bool:
        """See Split."""
        return True

    @property
    def judging_more(self) -> str:
        return "a larger split.n and looser preprocessing.relevant_filters judge more users"

    @property
    def counts(self) -> bool:
        """See Split."""
        return self.strategy == "interactions"

    @property
    def least(self) -> int:
        """See Split; RePlay holds them out on Spark and pandas, and keeps them on Polars."""
        return self.n if self.counts else 0

    def splitter(self, part: Part) -> LastNSplitter:
        """See Split."""
        return LastNSplitter(self.n, divide_column=USER, strategy=self.strategy, **TIME_COLUMNS)

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        splitter = self.splitter(part)
        if self.counts:
            return cut_users_by(splitter.split, log, turns(log))
        self.refuse_order(log[TIMESTAMP], "split.strategy=timedelta")
        return cut_users_by(splitter.split, log, log[TIMESTAMP])
