"""The newest share of each user's interactions is held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import Field, PositiveInt
from replay.splitters import RatioSplitter

from twotower.core.component import component
from twotower.split.base import TIME_COLUMNS, Part, Split
from twotower.split.cut import Cut, cut_users_by
from twotower.types import USER, turns


@component
@dataclass(frozen=True)
class RatioSplit(Split):
    """RePlay's RatioSplitter over users.

    test_size: share of each user's interactions that is held out.
    min_interactions_per_user: users with fewer stay whole on the train side; None: no such rule.
    split_by_fractions: whether the interaction that the share cuts in two is held out (true) or
        stays (false).
    """

    test_size: Annotated[float, Field(gt=0, lt=1)]
    min_interactions_per_user: PositiveInt | None
    split_by_fractions: bool

    @property
    def by_user(self) -> bool:
        """See Split."""
        return True

    @property
    def judging_more(self) -> str:
        return "a larger split.test_size and looser preprocessing.relevant_filters judge more users"

    def splitter(self, part: Part) -> RatioSplitter:
        """See Split."""
        return RatioSplitter(
            self.test_size,
            divide_column=USER,
            min_interactions_per_group=self.min_interactions_per_user,
            split_by_fractions=self.split_by_fractions,
            **TIME_COLUMNS,
        )

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        return cut_users_by(self.splitter(part).split, log, turns(log))
