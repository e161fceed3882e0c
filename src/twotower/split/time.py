"""One moment for all users: what comes from then on is held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Annotated

import polars as pl
from pydantic import Field, TypeAdapter
from replay.splitters import TimeSplitter

from twotower.core.component import component, rule
from twotower.core.errors import ErrorEntry
from twotower.split.base import TIME_COLUMNS, Part, Split
from twotower.split.cut import Cut, cut_users_by
from twotower.split.streaming.order_statistic import order_statistic
from twotower.types import TIMESTAMP


@component
@dataclass(frozen=True)
class TimeSplit(Split):
    """RePlay's TimeSplitter, given an explicit moment.

    test_size: share of the newest interactions that is held out. Rows at the very moment go with
        what follows it, so the part can be a little larger.
    test_start, validation_start: the moment itself (UTC), in place of that share.
    """

    test_size: Annotated[float, Field(gt=0, lt=1)]
    test_start: datetime | date | None
    validation_start: datetime | date | None

    @staticmethod
    @rule
    def moments_are_in_order(
        validation: bool,
        test_start: datetime | date | None,
        validation_start: datetime | date | None,
    ) -> Iterator[ErrorEntry]:
        """Yield an error for a start of validation that has no effect or is too late."""
        start, end = _moment(validation_start), _moment(test_start)
        if start is not None and not validation:
            wrong = "but validation=false cuts no such part"
            valid = "must be null, or validation true"
            yield ErrorEntry("validation_start", str(start), wrong, valid)
        if start is not None and end is not None and start >= end:
            valid = f"must be earlier than test_start={end}"
            yield ErrorEntry("validation_start", str(start), valid=valid)

    @property
    def by_user(self) -> bool:
        """See Split."""
        return True

    @property
    def counts(self) -> bool:
        """See Split."""
        return False

    def splitter(self, part: Part) -> TimeSplitter:
        """See Split; the moments must be settled."""
        moment = _moment(self.test_start if part == "test" else self.validation_start)
        return TimeSplitter(moment, **TIME_COLUMNS)

    def settled(self, times: Callable[[], Iterable[pl.Series]]) -> TimeSplit:
        """Return the split with its moments, found in a few passes over `times`."""
        test = _moment(self.test_start)
        n = sum(len(part) for part in times())
        if test is None:
            test = order_statistic(times, int(n * (1 - self.test_size)))
        before = sum(int((part.cast(pl.Datetime("us")) < test).sum()) for part in times())
        validation = _moment(self.validation_start)
        if validation is None and self.validation and before:
            validation = order_statistic(times, int(before * (1 - self.test_size)))
        return replace(self, test_start=test, validation_start=validation)

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        times = log[TIMESTAMP]
        moment = _moment(self.test_start if part == "test" else self.validation_start)
        if moment is not None:
            self.refuse_order(times, f"split.{part}_start")
        times = times.cast(pl.Datetime("us"))
        # RePlay's own share cuts ties by row on Polars and by moment on pandas: this is pandas'.
        start = moment or times.sort()[int(len(times) * (1 - self.test_size))]
        return cut_users_by(TimeSplitter(start, **TIME_COLUMNS).split, log, times)


def _moment(value: datetime | date | None) -> datetime | None:
    """Return a moment without time zone, in UTC."""
    if value is None:
        return None
    moment = TypeAdapter(datetime).validate_python(value)  # YAML and the shell bring text
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
