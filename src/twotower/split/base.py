"""The base class of all splits; a subclass defines how one part is cut off a log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

import polars as pl
from replay.preprocessing.filters import filter_cold

from twotower.core.errors import DataError
from twotower.split.cut import Cut, rows_among, tied_users
from twotower.types import FILE_ORDER, ITEM, TIMESTAMP, USER

Part = Literal["validation", "test"]

COLUMNS = {"query_column": USER, "item_column": ITEM}
TIME_COLUMNS = {**COLUMNS, "timestamp_column": TIMESTAMP}
_ROW = "__row_of_history"
TIMELESS_CHOICES = ("random", "cold_user", "cold_item", "k_folds", "given")


@dataclass(frozen=True)
class Parts:
    """The parts of a log; see SplitFrames."""

    validation: pl.DataFrame | None
    validation_known: pl.DataFrame | None
    test: pl.DataFrame
    test_known: pl.DataFrame | None
    history: pl.DataFrame
    in_train: pl.Series | None

    @property
    def train(self) -> pl.DataFrame:
        """See SplitFrames."""
        return self.history if self.in_train is None else self.history.filter(self.in_train)


@dataclass(frozen=True)
class Split(ABC):
    """Cut test off the log, then validation off the rest, by the same rule.

    validation: whether a validation part is cut.
    drop_cold_users, drop_cold_items: drop what the rows before the part do not hold: from
        validation what train lacks, from test what train and validation together lack.
    """

    validation: bool
    drop_cold_users: bool
    drop_cold_items: bool

    @property
    def needs_time(self) -> bool:
        """Whether the rule orders interactions by time."""
        return True

    @property
    def by_user(self) -> bool:
        """Whether each user's interactions are cut whatever those of others are.

        Such a split can be cut in parts, for logs larger than memory.
        """
        return False

    @property
    def counts(self) -> bool:
        """Whether `splitter` counts interactions, which it is shown in place of their moments."""
        return True

    @property
    def least(self) -> int:
        """How many interactions a user needs to be cut; those with fewer stay before the part."""
        return 0

    def splitter(self, part: Part) -> Any:
        """Return RePlay's splitter, of splits that cut `by_user`."""
        raise NotImplementedError(f"{self} has no splitter of its own")

    def settled(self, times: Callable[[], Iterable[pl.Series]]) -> Split:
        """Return the split with what depends on the whole log, which `times` yields in parts."""
        return self

    @property
    def judging_more(self) -> str:
        """Return how to evaluate more users, by config key; shown if a holdout has few."""
        return "split=last_n and split=ratio judge more users"

    @property
    def repeat(self) -> str | None:
        """Return which of several averaged splits this is, in words; None if there is only one."""
        return None

    @abstractmethod
    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        """Return the rest and the part, both in the order of `log`; either may be empty."""

    def cut_test(self, log: pl.DataFrame, given: pl.DataFrame | None) -> Cut:
        """Return the rest and test. Raises DataError if a given test part would be ignored."""
        if given is not None:
            raise DataError(
                f"{self} would ignore the test part that the dataset comes with"
                f" ({len(given):,} interactions). Use split=given, or a dataset without one."
            )
        return self.cut(log, "test")

    def reveal(self, held: pl.DataFrame, part: Part) -> tuple[pl.DataFrame | None, pl.DataFrame]:
        """Split `held` into the interactions known at evaluation time and the ground truth.

        The first is None if this split reveals none.
        """
        return None, held

    def split(self, log: pl.DataFrame, given: pl.DataFrame | None, steps: list[str]) -> Parts:
        """Return the parts of `log`, a frame in order of time if times are known.

        Args:
            log: interactions in canonical order.
            given: the test part of a log that is split already.
            steps: a sentence is appended for each step.

        Raises:
            DataError: times are needed and not known, or a part is empty.
        """
        if self.needs_time and TIMESTAMP not in log.columns:
            raise DataError(
                f"{self} orders interactions by time, and the log has no timestamps, only"
                f" {log.columns}. Set dataset.columns.timestamp, or dataset.order=file if its lines"
                " are in order of time, or take a split that needs no time:"
                f" {', '.join(TIMELESS_CHOICES)}."
            )
        n_rows = len(log)
        history, test = self.cut_test(log, given)
        del log  # of which the caller may hold no other reference
        steps.append(f"{n_rows:,} interactions: {len(history):,} before test, {len(test):,} test")
        if given is None:
            self._note_ties(history, test, "test", steps)
        self.refuse_empty(history, "train", steps)
        test_known, test = self._hold(history, test, "test", steps)
        if not self.validation:
            return Parts(None, None, test, test_known, history, None)
        train, validation = self.cut(history.with_row_index(_ROW), "validation")
        in_train = rows_among(train[_ROW], len(history))
        train, validation = train.drop(_ROW), validation.drop(_ROW)
        steps.append(f"before test: {len(train):,} train, {len(validation):,} validation")
        self._note_ties(train, validation, "validation", steps)
        self.refuse_empty(train, "train", steps)
        validation_known, validation = self._hold(train, validation, "validation", steps)
        return Parts(validation, validation_known, test, test_known, history, pl.Series(in_train))

    def refuse_order(self, times: pl.Series, key: str) -> None:
        """Raise DataError where `times` are places in an order, and `key` needs moments."""
        if not times.dtype.is_temporal():
            raise DataError(
                f"{key} needs moments in time, and dataset.timestamp_unit=order gives an order"
                " alone. Set the unit of your timestamps, or another split."
            )

    def _hold(
        self, before: pl.DataFrame, held: pl.DataFrame, part: Part, steps: list[str]
    ) -> tuple[pl.DataFrame | None, pl.DataFrame]:
        """Return the known interactions, or None, and the ground truth."""
        self.refuse_empty(held, part, steps)
        known, truth = self.reveal(held, part)
        if known is not None:
            steps.append(
                f"{part}: {len(known):,} of {len(held):,} interactions are known at evaluation"
                f" time, {len(truth):,} are ground truth"
            )
        revealed = None if known is None or known.is_empty() else known
        return revealed, self._warm(before, truth, part, steps)

    def _warm(
        self, before: pl.DataFrame, held: pl.DataFrame, part: Part, steps: list[str]
    ) -> pl.DataFrame:
        for kind, dropped in (("users", self.drop_cold_users), ("items", self.drop_cold_items)):
            if dropped:
                warm = filter_cold(held, before, kind, USER, ITEM)
                steps.append(f"{part}: {len(held) - len(warm):,} interactions of cold {kind} drop")
                held = warm
                self.refuse_empty(held, part, steps)
        return held

    def _note_ties(
        self, rest: pl.DataFrame, held: pl.DataFrame, part: Part, steps: list[str]
    ) -> None:
        tied = 0 if not self.needs_time or FILE_ORDER in rest.columns else tied_users(rest, held)
        if tied:
            steps.append(
                f"{part}: {tied:,} of {held[USER].n_unique():,} users are cut between interactions"
                " of one moment; which of these are held out is drawn independently of their ids"
                " (dataset.order=file takes the order of the lines instead)"
            )

    def refuse_empty(self, frame: pl.DataFrame, part: str, steps: list[str]) -> None:
        """Raise DataError if a part has no rows."""
        if frame.is_empty():
            raise DataError(
                f"{self} leaves the {part} part empty. So far: {'; '.join(steps)}."
                " Change these keys of split, or the filters of preprocessing."
            )

    def __str__(self) -> str:
        choice = type(self).__module__.rpartition(".")[2]
        keys = ", ".join(f"split.{f.name}={getattr(self, f.name)}" for f in fields(self))
        return f"split={choice} ({keys})"


def seed_of(seed: int, part: Part) -> int:
    """Return a seed per part: with the same one, the cuts of validation and test would be tied."""
    return seed if part == "test" else seed + 1
