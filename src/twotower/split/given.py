"""The dataset comes split already; validation is cut off its train part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt
from replay.splitters import RatioSplitter

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.split.base import TIME_COLUMNS, Part, Split
from twotower.split.cut import Cut, cut_by
from twotower.types import ITEM, USER, turns


@component
@dataclass(frozen=True)
class GivenSplit(Split):
    """Test is the dataset's own; validation is a share of each user's interactions.

    validation_size: that share, rounded up; a user with one interaction keeps it in train.
    drop_repeats: leave test pairs out that the train part holds: where seen items are dropped they
        cannot be recommended.
    validation_order: `random` draws them (seed: of the draw), `time` takes the newest.
    """

    validation_size: Annotated[float, Field(gt=0, lt=1)]
    validation_order: Literal["random", "time"]
    drop_repeats: bool
    seed: NonNegativeInt

    @property
    def needs_time(self) -> bool:
        return self.validation and self.validation_order == "time"

    @property
    def judging_more(self) -> str:
        return "a larger dataset.test_path judges more users"

    def cut_test(self, log: pl.DataFrame, given: pl.DataFrame | None) -> Cut:
        if given is None:
            raise DataError(
                f"{self} needs a dataset that comes with a test part, and this one has none."
                " Name its test file in dataset, or take another split."
            )
        return log, given.join(log, on=[USER, ITEM], how="anti") if self.drop_repeats else given

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        splitter = RatioSplitter(
            self.validation_size, divide_column=USER, min_interactions_per_group=2, **TIME_COLUMNS
        )
        if self.validation_order == "time":
            order = turns(log)
        else:
            order = np.random.default_rng(self.seed).permutation(len(log))
        return cut_by(splitter.split, log, order)
