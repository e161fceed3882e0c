"""The frames that are examined: the log as it is read, what filters keep, and the parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from twotower.core.errors import DataError
from twotower.dataset import Dataset, Streamable
from twotower.running.experiment import Experiment
from twotower.split.base import Parts
from twotower.split.streaming.buckets import bucket_of
from twotower.split.streaming.prepare import ROWS_PER_BUCKET
from twotower.types import USER, Interactions, LogStream

__all__ = ["Examined", "read", "split_of"]


@dataclass(frozen=True)
class Examined:
    """What is examined.

    Attributes:
        experiment: The run that is planned.
        interactions: The data as it is read; of a streamed log the rows of some users.
        buckets: Of how many groups of users the log is one; 1: it is whole.
        kept: The rows that filters keep.
        parts: The parts, before cold users and items are dropped; `test` and `validation` hold
            what counts as relevant.
    """

    experiment: Experiment
    interactions: Interactions
    buckets: int
    kept: pl.DataFrame
    parts: Parts

    @property
    def log(self) -> pl.DataFrame:
        """The log as it is read."""
        return self.interactions.log

    @property
    def held(self) -> dict[str, tuple[pl.DataFrame, pl.DataFrame]]:
        """By holdout, what a model is trained on for it, and its relevant pairs."""
        parts = self.parts
        of_test = {"test": (parts.history, parts.test)}
        if parts.validation is None:
            return of_test
        return {"validation": (parts.train, parts.validation), **of_test}


def read(dataset: Dataset) -> tuple[Interactions, int]:
    """Return the data, and of how many groups of users it is one.

    A streamed log is examined by the rows of some users, about 2 million.
    """
    stream = dataset.stream() if isinstance(dataset, Streamable) else None
    if stream is None:
        return dataset.load(), 1
    buckets = -(-stream.n_rows // ROWS_PER_BUCKET)
    log = _bucket(stream, buckets)
    return Interactions(
        log, stream.users, stream.items, None, stream.origin, stream.digest
    ), buckets


def _bucket(stream: LogStream, buckets: int) -> pl.DataFrame:
    batches = (
        rows.filter(pl.Series(bucket_of(rows[USER], buckets) == 0)) for rows in stream.batches()
    )
    return stream.in_order(pl.concat(batches))


def split_of(experiment: Experiment, interactions: Interactions, kept: pl.DataFrame) -> Parts:
    """Return the parts of the rows that filters keep, with cold users and items.

    Raises:
        DataError: A part is empty, or times are needed and not known.
    """
    steps: list[str] = []
    whole = replace(experiment.split, drop_cold_users=False, drop_cold_items=False)
    parts = whole.split(kept, interactions.test, steps)
    relevant = experiment.preprocessing.relevant
    validation = parts.validation
    if validation is not None:
        validation = relevant(validation, "validation", steps)
    test = relevant(parts.test, "test", steps)
    if test.is_empty():
        raise DataError("the test part has no relevant pairs")
    return replace(parts, validation=validation, test=test)
