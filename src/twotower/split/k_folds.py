"""Each user's interactions are dealt into folds at random, and one fold is held out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import polars as pl
from pydantic import Field, NonNegativeInt
from replay.splitters import KFolds

from twotower.core.component import component
from twotower.core.errors import ConfigError
from twotower.split.base import COLUMNS, Cut, Part, Split, cut_by, seed_of


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

    def __post_init__(self) -> None:
        if self.fold >= self.n_folds:
            raise ConfigError(
                f"split.fold={self.fold} is not a fold of split.n_folds={self.n_folds};"
                f" must be 0 to {self.n_folds - 1}."
            )

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
