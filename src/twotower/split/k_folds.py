"""Each user's interactions are dealt into folds at random, and one fold is held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import polars as pl
from pydantic import Field, NonNegativeInt
from replay.splitters import KFolds

from twotower.core.component import component, rule
from twotower.core.errors import ErrorEntry
from twotower.split.base import COLUMNS, Part, Split, seed_of
from twotower.split.cut import Cut, cut_by


@component
@dataclass(frozen=True)
class KFoldsSplit(Split):
    """RePlay's KFolds over users.

    n_folds: how many folds. fold: the one held out, 0 to n_folds - 1: `folds=5` trains
        all of them. seed: of the draw, the same for all folds of one cross-validation.
    """

    n_folds: Annotated[int, Field(ge=2)]
    fold: NonNegativeInt
    seed: NonNegativeInt

    @staticmethod
    @rule
    def fold_is_one_of_them(n_folds: int, fold: int) -> Iterator[ErrorEntry]:
        """Yield an error for a fold that there is not."""
        if fold >= n_folds:
            wrong, valid = f"with n_folds={n_folds}", f"must be from 0 to {n_folds - 1}"
            yield ErrorEntry("fold", fold, wrong, valid)

    @property
    def needs_time(self) -> bool:
        return False

    @property
    def judging_more(self) -> str:
        return "a smaller split.n_folds judges more users"

    @property
    def repeat(self) -> str:
        return (
            f"split.fold={self.fold}, one of {self.n_folds} folds; "
            f"folds={self.n_folds} trains all and averages them"
        )

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        splitter = KFolds(self.n_folds, seed=seed_of(self.seed, part), **COLUMNS)

        def fold_of(shown: pl.DataFrame) -> Any:
            return next(islice(splitter.split(shown), self.fold, None))

        return cut_by(fold_of, log)
