"""One moment for all users: what comes from then on is held out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated

import polars as pl
from pydantic import Field, TypeAdapter
from replay.splitters import TimeSplitter

from twotower.core.component import component
from twotower.core.errors import ConfigError
from twotower.split.base import TIME_COLUMNS, Cut, Part, Split, cut_by
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

    def __post_init__(self) -> None:
        test, validation = self._moment("test"), self._moment("validation")
        if validation is not None and not self.validation:
            raise ConfigError(
                f"split.validation_start={validation} has no effect while split.validation=false."
                " Set split.validation=true or split.validation_start=null."
            )
        if test is not None and validation is not None and validation >= test:
            raise ConfigError(
                f"split.validation_start={validation} must be earlier than split.test_start={test}."
            )

    def cut(self, log: pl.DataFrame, part: Part) -> Cut:
        times = log[TIMESTAMP]
        if self._moment(part) is not None:
            self.refuse_order(times, f"split.{part}_start")
        times = times.cast(pl.Datetime("us"))
        # RePlay's own share cuts ties by row on Polars and by moment on pandas: this is pandas'.
        start = self._moment(part) or times.sort()[int(len(times) * (1 - self.test_size))]
        return cut_by(TimeSplitter(start, **TIME_COLUMNS).split, log, times)

    def _moment(self, part: Part) -> datetime | None:
        value = self.test_start if part == "test" else self.validation_start
        if value is None:
            return None
        moment = TypeAdapter(datetime).validate_python(value)  # YAML and the shell bring text
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
