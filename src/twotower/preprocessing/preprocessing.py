"""An ordered list of RePlay filters, configured in `conf/preprocessing/`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import polars as pl
from pydantic import InstanceOf

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.preprocessing.repeats import without_repeats
from twotower.types import ITEM, RATING, TIMESTAMP, USER

_ROW = "__row"


@runtime_checkable
class Filter(Protocol):
    """Anything that drops rows and keeps all columns, such as `replay.preprocessing.filters`."""

    def transform(self, interactions: Any) -> Any:
        """Return the rows of `interactions` (a Polars frame) to keep."""
        ...


@component
@dataclass(frozen=True)
class Preprocessing:
    """Filters a log before the split, and the ground truth after it.

    duplicates: `once` keeps the earliest row of each (user, item) pair, `last` the latest, `keep`
        keeps them all.
    filters: applied to the whole log, in order, before it is split.
    relevant_filters: applied to validation and test only, after the split; rows that do not pass
        are not counted as relevant items.
    engine: what filters and cuts a streamed log.
    """

    duplicates: Literal["once", "last", "keep"]
    filters: list[InstanceOf[Filter]]
    relevant_filters: list[InstanceOf[Filter]]
    engine: Literal["polars", "spark"]

    def before_split(self, log: pl.DataFrame, steps: list[str]) -> pl.DataFrame:
        """Return the rows of `log` to keep, sorted by time if it is known.

        Appends to `steps` one sentence for each thing done. Raises DataError when a filter needs
        a column that the log lacks, or leaves nothing.
        """
        n_rows = len(log)
        log = self.without_repeats(log)
        if len(log) < n_rows:
            steps.append(self.repeats_note(n_rows - len(log), n_rows))
        return _apply(self.filters, log, "preprocessing.filters", "the log", steps)

    def without_repeats(self, log: pl.DataFrame) -> pl.DataFrame:
        """Return `log` sorted by time if it is known, each pair once unless all are kept."""
        if TIMESTAMP in log.columns and not log[TIMESTAMP].is_sorted():  # a sort would copy it
            log = log.sort(TIMESTAMP, maintain_order=True)
        if self.duplicates == "keep":
            return log
        return without_repeats(log, "first" if self.duplicates == "once" else "last")

    def repeats_note(self, repeated: int, n_rows: int) -> str:
        """Return a sentence on the repeated rows that are dropped."""
        return (
            f"{repeated:,} of {n_rows:,} interactions repeat"
            f" {'an earlier' if self.duplicates == 'once' else 'a later'} (user, item) pair"
            " and are dropped (preprocessing.duplicates=keep keeps them)"
        )

    def relevant(self, holdout: pl.DataFrame, part: str, steps: list[str]) -> pl.DataFrame:
        """Return the relevant rows of `holdout`, each (user, item) pair once.

        part: `validation` or `test`, as messages name it. Raises as `before_split` does.
        """
        key = "preprocessing.relevant_filters"
        kept = _apply(self.relevant_filters, holdout, key, f"the {part} part", steps)
        # RePlay's metrics do not refuse repeated ground truth: NDCG above 1 would come out.
        return kept.unique([USER, ITEM], keep="first", maintain_order=True)


def _apply(
    filters: Sequence[Filter], log: pl.DataFrame, key: str, whole: str, steps: list[str]
) -> pl.DataFrame:
    for position, filter_ in enumerate(filters):
        name = f"{key}[{position}] ({type(filter_).__name__})"
        kept = transformed(filter_, log, name, whole)
        if kept.is_empty():
            raise DataError(
                f"{name} leaves nothing of {whole}: {len(log):,} interactions went in."
                " Loosen it or take it out of the list."
            )
        steps.append(f"{name} keeps {len(kept):,} of {len(log):,} interactions of {whole}")
        log = kept
    return log


def transformed(filter_: Filter, log: pl.DataFrame, name: str, whole: str) -> pl.DataFrame:
    """Return what a filter keeps of `log`, in its order; `name` and `whole` are for messages."""
    # A copy, because RePlay's TimePeriodFilter fills its open ends from the first frame it meets.
    # Rows are put back in order, because RePlay's filters join and sort without keeping it.
    try:
        kept: pl.DataFrame = copy.deepcopy(filter_).transform(log.with_row_index(_ROW))
    except pl.exceptions.ColumnNotFoundError as error:
        raise DataError(_lacks_column(log, name, whole, error)) from error
    except (pl.exceptions.PolarsError, TypeError) as error:
        if TIMESTAMP not in log.columns or log[TIMESTAMP].dtype.is_temporal():
            raise
        raise DataError(
            f"{name} fails on timestamps that only order (dataset.timestamp_unit=order): {error}"
        ) from error
    return kept.sort(_ROW).drop(_ROW)


def _lacks_column(log: pl.DataFrame, name: str, whole: str, error: Exception) -> str:
    missing = str(error).partition(";")[0].partition("\n")[0]
    remedies = [f"dataset.columns.{c}" for c in (RATING, TIMESTAMP) if c not in log.columns]
    source = f" Map it with {' or '.join(remedies)}, or" if remedies else ""
    return (
        f"{name} needs a column that {whole} lacks: {missing}. Columns are {log.columns}."
        f"{source or ' Name one of them in the filter, or'} take the filter out of the list."
    )
