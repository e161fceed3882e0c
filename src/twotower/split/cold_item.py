"""All interactions of randomly chosen items are held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt

from twotower.core.component import component
from twotower.split.base import Part, Split, seed_of
from twotower.split.cut import Cut
from twotower.types import ITEM


@component
@dataclass(frozen=True)
class ColdItemSplit(Split):
    """Out-of-matrix prediction (Wang and Blei 2011, KDD, "Collaborative topic modeling for
    recommending scientific articles"). RePlay has no such splitter.

    test_size: share of the items that is held out, to the nearest whole number. seed: of the
        draw, which is over the ids in their order: the order of the log decides nothing.
    """

    test_size: Annotated[float, Field(gt=0, lt=1)]
    seed: NonNegativeInt

    @property
    def needs_time(self) -> bool:
        return False

    @property
    def judging_more(self) -> str:
        return "a larger split.test_size judges more users"

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        items = log[ITEM].unique().sort()
        shuffled = np.random.default_rng(seed_of(self.seed, part)).permutation(len(items))
        held = log[ITEM].is_in(items[shuffled[: round(self.test_size * len(items))]].implode())
        return log.filter(~held), log.filter(held)
